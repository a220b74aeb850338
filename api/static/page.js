// Bring the quoted text into view; without a quote the browser goes to the anchor by itself.
const quoted = document.querySelector("mark");
if (quoted) {
  const { top, bottom } = quoted.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) quoted.scrollIntoView({ block: "center" });
}
