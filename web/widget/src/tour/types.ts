/** GET /v1/me/guides. */
export interface Guide {
  guide: string;
  kind: "tooltip" | "walkthrough" | "video";
  title: string;
  selector: string;
  text: string;
  stops: Stop[];
  stop: number; // where a walkthrough goes on, from 0
  video: Video | null;
}

export interface Stop {
  selector: string;
  text: string;
}

export interface Video {
  file: string;
  captions: string;
  transcript: string;
  seconds: number;
}

export type Did = { did: "shown" | "done" | "dismissed" } | { did: "reached"; stop: number };
