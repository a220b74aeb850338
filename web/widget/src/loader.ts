/**
 * The script that hosts embed: takes commands from the first moment, and loads the rest once the
 * page has nothing better to do.
 *
 *   <script async src="https://HOST/widget/v1/embark.js" data-workspace="w1"></script>
 */

declare const CORE: string; // file name of the core, put in by the build
type Command = [name: string, ...rest: unknown[]];
type Take = (...command: Command) => void;
type Queue = Take & { q?: Command[] };

const TRIES = 5;
const page = window as unknown as { Embark?: Queue; requestIdleCallback?: (work: () => void) => void };
const script = document.currentScript as HTMLScriptElement | null;

const isThere = page.Embark !== undefined && page.Embark.q === undefined; // a page may hold the tag twice

if (script !== null && !isThere) start(script);

function start({ src, dataset }: HTMLScriptElement): void {
  const waiting: Command[] = [...(page.Embark?.q ?? [])];
  let take: Take = (...command) => void waiting.push(command);
  page.Embark = (...command) => take(...command);
  const address = new URL(src, location.href);
  const base = { apiBase: dataset.apiBase ?? address.origin, workspace: dataset.workspace ?? "" };
  if (dataset.boot !== undefined) waiting.push(["boot", {}]);
  const load = (attempt: number): void => {
    import(new URL(CORE, address).href)
      .then(({ serve }) => {
        take = serve(waiting, base);
      })
      .catch(() => attempt < TRIES && setTimeout(load, 500 * 2 ** attempt * (1 + Math.random()), attempt + 1));
  };
  const idle = page.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 1));
  idle(() => load(0));
}

export {};
