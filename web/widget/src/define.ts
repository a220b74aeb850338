import { EmbarkCopilot } from "./element";

if (!customElements.get("embark-copilot")) customElements.define("embark-copilot", EmbarkCopilot);

export { EmbarkCopilot };
export type { Options, WidgetEvent } from "./options";
