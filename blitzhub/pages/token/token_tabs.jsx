// The tabs of a token's page. The chosen one is kept while the page is drawn anew: another backend knows nothing of it.
import { useState } from "react";
import { Tabs } from "radix-ui";

let kept = { token: "", value: "" };

export function TokenTabs({ token, initial, className, children }) {
  const [value, setValue] = useState(() => (kept.token === token ? kept.value : initial));
  const choose = (next) => {
    kept = { token, value: next };
    setValue(next);
  };
  return (
    <Tabs.Root value={value} onValueChange={choose} className={className}>
      {children}
    </Tabs.Root>
  );
}
