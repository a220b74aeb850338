/** What the server says, as far as the widget shows it. Names are those of the wire. */

export interface Citation {
  id: string;
  marker: number;
  chunkId: string;
  url: string;
  title: string;
  docVersion: string;
  quote: string;
}

export interface Choice {
  value: string;
  label: string;
}

export interface Offer {
  say: string;
}

export interface Field {
  name: string;
  label: string;
  value: string;
  before: string | null;
  origin: string | null;
  secret?: boolean;
}

export type Risk = "read" | "write" | "sensitive" | "destructive";

/** An action as its card tells it; rendered by the server from the arguments. */
export interface CardContent {
  actionId: string;
  digest: string;
  title: string;
  status: string;
  risk: Risk;
  approver: "end_user" | "other" | string;
  who: string | null;
  fields: Field[];
  steps: string[];
  notes: string[];
  count: number;
  undo: string | null;
  always: boolean;
  expiresAt: string;
}

export interface Progress {
  actionId: string;
  step: string;
  done: number;
  of: number;
  nextTry: string | null;
}

export interface Receipt {
  id: string;
  jws: string;
}

export interface Result {
  title?: string;
  status?: string;
  detail: string | null;
  result: Record<string, unknown> | null;
  undo: string | null;
  receipt: Receipt | null;
}

/** `role` is `card` for what is known of an action: `card`, `progress` and `result`. */
export interface Message {
  readonly id: string;
  readonly role: "user" | "assistant" | "card";
  readonly text: string;
  readonly isOpen: boolean;
  readonly refused: boolean;
  readonly author: string | null; // a person who spoke for the team
  readonly citations: readonly Citation[];
  readonly choices: readonly Choice[];
  readonly offer: Offer | null;
  readonly card: CardContent | null;
  readonly progress: Progress | null;
  readonly result: Result | null;
}

export interface Interrupt {
  id: string;
  responseSchema?: { properties?: { editedArgs?: { properties?: Record<string, Schema> } } };
}

/** JSON Schema, as far as a form is made of it. */
export interface Schema {
  type?: string | string[];
  enum?: unknown[];
  items?: { type?: string };
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}

export interface Step {
  id: string;
  title: string;
  state: "blocked" | "open" | "done" | "skipped";
  effort: number; // minutes
  colleague: boolean; // somebody else of the account has to do it
}

export interface NextCard {
  decision: string;
  action: string;
  title: string;
  why: string;
  minutes: number | null;
  opens: string | null; // address in the product
  tool: string | null;
  alternatives: string[];
}

export type Mode = "simple" | "advanced";

export interface Muted {
  action: string;
  title: string;
  until: string | null; // never again without it
}

/** GET /v1/me/next-steps. */
export interface Standing {
  guided: boolean;
  title: string;
  checklist: Step[];
  cards: NextCard[];
  muted: Muted[];
  minutesLeft: number | null;
  mode: Mode;
}

/** A card that was asked for over REST, as the server describes it. */
export interface Approval extends CardContent {
  args: Record<string, unknown>;
  schema: { properties: Record<string, Schema> };
  undoes: string | null;
}
