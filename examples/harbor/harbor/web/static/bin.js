// Dashboards deleted in this browser: the API restores one by its id, but does not list them.

import { session } from "./session.js";

const KEEPS_MS = 30 * 86_400_000;
const place = () => `harbor.bin.${session.me.account.id}`;

export function bin() {
  try {
    const found = JSON.parse(localStorage.getItem(place()) ?? "[]");
    return found.filter((each) => Date.now() - Date.parse(each.at) < KEEPS_MS);
  } catch {
    return []; // storage that is switched off or holds something else is an empty bin
  }
}

function store(list) {
  try {
    localStorage.setItem(place(), JSON.stringify(list));
  } catch {
    // without storage only the message with its Undo is left
  }
}

export const remember = ({ id, name }) =>
  store([{ id, name, at: new Date().toISOString() }, ...bin()].slice(0, 20));

export const forget = (id) => store(bin().filter((each) => each.id !== id));
