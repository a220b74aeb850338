import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { useApp } from "../app";

/** A part that most visits never show: it comes when it is first wanted. Until then, its name. */
export function later<P extends object>(
  load: () => Promise<ComponentType<P>>,
  name: (props: P) => string,
): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  return function Later(props: P) {
    const { words } = useApp();
    const [Part, setPart] = useState<ComponentType<P> | null>(() => loaded);
    const [isLost, setLost] = useState(false);
    useEffect(() => {
      if (Part !== null) return;
      load().then(
        (found) => setPart(() => (loaded = found)),
        () => setLost(true),
      );
    }, [Part]);
    if (Part !== null) return <Part {...props} />;
    return <p role="status">{isLost ? words.value.say("lost") : name(props)}</p>;
  };
}
