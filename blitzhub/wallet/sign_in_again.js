// A new sign-in before what takes a fresh one. It is prepared when it becomes needed: a wallet opens only within a click.
import { useEffect, useRef, useState } from "react";
import { Refused } from "$/public/external/blitzhub/client/api.js";
import { prepareSignIn, signInAgain } from "$/public/external/blitzhub/wallet/sign_in.js";

/** `failed(error)`: what was tried did not succeed; a refusal may be the first to say that a sign-in is needed. */
export function useSignInAgain(needed, account, localnet) {
  const [again, setAgain] = useState(needed);
  const prepared = useRef(null);
  const prepare = () => {
    prepared.current = prepareSignIn();
    prepared.current.catch(() => {});
  };
  useEffect(() => {
    if (again) prepare();
  }, [again]);
  return {
    again,
    signIn: () => signInAgain(account, localnet, prepared.current),
    signedIn: () => setAgain(false),
    failed: (error) => {
      if (error instanceof Refused && error.code === "sign_in_again") setAgain(true);
      if (again) prepare();
    },
  };
}
