import type { GetToken } from "./client/client";

export type Theme = "light" | "dark" | "auto";
export type Position = "end" | "start";

/** What `boot` takes. Whatever is left out is as the script tag says, or as it was. */
export interface Options {
  workspace?: string;
  apiBase?: string;
  getToken?: GetToken;
  user?: string; // tells apart what two people at one browser kept; nobody is believed for it
  locale?: string;
  theme?: Theme;
  position?: Position;
  zIndex?: number;
  hideLauncher?: boolean;
}

export type WidgetEvent =
  | "ready"
  | "open"
  | "close"
  | "message"
  | "citation"
  | "card"
  | "approval"
  | "handoff"
  | "error";

export type Listener = (detail: unknown) => void;
