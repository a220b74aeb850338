// Bring the quoted text into view; without a quote the browser goes to the anchor by itself.
const quoted = document.querySelector("mark");
if (quoted) {
  quoted.scrollIntoView({ block: "center" });
}
