// The wallet button. Keys never leave the wallet; the server only sees a signed text and answers with a cookie.
import { useCallback, useEffect, useRef, useState } from "react";
import { getWallets } from "@wallet-standard/app";
import { Check, ChevronDown, Copy, Droplets, Gauge, KeyRound, LogOut, Wallet } from "lucide-react";
import { DropdownMenu, Popover } from "radix-ui";
import { Link } from "react-router";
import { call } from "$/public/external/blitzhub/client/api.js";
import { ownSol, shortAddress } from "$/public/external/blitzhub/feed/figures.js";
import { useFaucet } from "./faucet.jsx";
import { registerDemoWallet } from "./demo_wallet.js";
import { canSignIn, DEMO, rememberWallet, signed, verify } from "./sign_in.js";

const NONCE_FRESH_MS = 240_000;
const HOW_TO_GET_ONE = "https://solana.com/solana-wallets";

/** Any component may open the sign-in: `window.dispatchEvent(new Event("blitzhub:sign-in"))`. */
const OPEN_EVENT = "blitzhub:sign-in";

function useWallets(localnet) {
  const [wallets, setWallets] = useState([]);
  useEffect(() => {
    if (localnet) registerDemoWallet();
    const registry = getWallets();
    const refresh = () => {
      const usable = registry.get().filter(canSignIn);
      const demo = localnet ? usable.filter((w) => w.name === DEMO) : [];
      setWallets([...demo, ...usable.filter((w) => w.name !== DEMO)]);
    };
    refresh();
    const offRegister = registry.on("register", refresh);
    const offUnregister = registry.on("unregister", refresh);
    return () => {
      offRegister();
      offUnregister();
    };
  }, [localnet]);
  return wallets;
}

/** Sign in with a wallet: the nonce was asked for when the list opened, so the wallet opens within the click. */
function useSignIn() {
  const [phase, setPhase] = useState({ name: "idle", words: "" });
  const nonce = useRef({ at: 0, promise: null });
  const prepare = useCallback(() => {
    if (!nonce.current.promise || Date.now() - nonce.current.at > NONCE_FRESH_MS) {
      const promise = call("POST", "/auth/nonce", {});
      nonce.current = { at: Date.now(), promise };
      promise.catch(() => (nonce.current = { at: 0, promise: null }));
    }
    return nonce.current.promise;
  }, []);
  const signIn = async (wallet) => {
    setPhase({ name: "confirming", words: "" });
    let input;
    try {
      ({ input } = await prepare());
    } catch (error) {
      setPhase({ name: "failed", words: `Sign-in could not start. ${error.message}` });
      return;
    }
    nonce.current = { at: 0, promise: null }; // single use, whatever comes of it
    let proof;
    try {
      proof = await signed(wallet, input);
    } catch {
      setPhase({ name: "failed", words: "You declined in the wallet. Nothing happened." });
      return;
    }
    try {
      await verify(input, proof);
      rememberWallet(wallet.name);
      location.reload(); // the live connection learns who it belongs to when it is opened
    } catch (error) {
      setPhase({ name: "failed", words: `Not signed in. ${error.message}` });
    }
  };
  return { phase, prepare, signIn, reset: () => setPhase({ name: "idle", words: "" }) };
}

function Choice({ wallet, disabled, onPick }) {
  return (
    <button type="button" className="bh-wallet__choice" disabled={disabled} onClick={() => onPick(wallet)} data-testid="wallet-choice" data-wallet={wallet.name}>
      <img src={wallet.icon} alt="" width="24" height="24" />
      <span>{wallet.name}</span>
      {wallet.name === DEMO && <span className="bh-tag">test SOL only</span>}
    </button>
  );
}

function SignInList({ wallets, flow, chosen, onPick }) {
  const confirming = flow.phase.name === "confirming";
  return (
    <>
      <div className="bh-title">Sign in</div>
      <p className="bh-small bh-muted">Your wallet signs a short text. It costs nothing and moves nothing.</p>
      {flow.phase.name === "failed" && (
        <div className="bh-wallet__failed" role="alert">
          <span>{flow.phase.words}</span>
          {chosen && (
            <button type="button" className="bh-button bh-button--dense" onClick={() => onPick(chosen)}>
              Try again
            </button>
          )}
        </div>
      )}
      {wallets.map((wallet) => (
        <Choice key={wallet.name} wallet={wallet} disabled={confirming} onPick={onPick} />
      ))}
      {!wallets.length && (
        <p className="bh-small">
          No Solana wallet found.{" "}
          <a className="bh-link" href={HOW_TO_GET_ONE} target="_blank" rel="noreferrer">
            How to get one
          </a>
        </p>
      )}
    </>
  );
}

function SignedOut({ localnet }) {
  const wallets = useWallets(localnet);
  const flow = useSignIn();
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(null);
  const change = useCallback(
    (next) => {
      setOpen(next);
      if (next) flow.prepare().catch(() => {});
    },
    [flow.prepare],
  );
  useEffect(() => {
    const show = () => change(true);
    window.addEventListener(OPEN_EVENT, show);
    return () => window.removeEventListener(OPEN_EVENT, show);
  }, [change]);
  const pick = (wallet) => {
    setChosen(wallet);
    flow.signIn(wallet);
  };
  const confirming = flow.phase.name === "confirming";
  return (
    <Popover.Root open={open} onOpenChange={change}>
      <Popover.Trigger asChild>
        <button type="button" className="bh-button bh-button--accent" data-testid="sign-in" data-phase={flow.phase.name}>
          {confirming ? "Confirm in your wallet…" : "Sign in"}
        </button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="bh-pop bh-wallet" align="end" sideOffset={8} collisionPadding={8} aria-label="Sign in">
          <SignInList wallets={wallets} flow={flow} chosen={chosen} onPick={pick} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** In the menu too, where a phone has its only room for it. */
function FaucetItem({ lamports }) {
  const { words, waiting, label, press } = useFaucet(lamports);
  const take = (event) => {
    event.preventDefault();
    press();
  };
  return (
    <>
      <DropdownMenu.Item className="bh-menu__item" onSelect={take} disabled={waiting} data-testid="menu-faucet">
        <Droplets className="bh-icon" aria-hidden />
        {label}
      </DropdownMenu.Item>
      {words && <div className="bh-menu__words bh-small bh-warn">{words}</div>}
    </>
  );
}

function SignedIn({ address, lamports, localnet, role }) {
  const [copied, setCopied] = useState(false);
  const copy = async (event) => {
    event.preventDefault();
    await navigator.clipboard.writeText(address);
    setCopied(true);
    setTimeout(() => setCopied(false), 1200);
  };
  const signOut = async () => {
    try {
      await call("POST", "/auth/logout");
    } finally {
      location.reload();
    }
  };
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        <button type="button" className="bh-button bh-button--outline" data-testid="account" data-address={address} aria-label={`Account starting ${address.slice(0, 4)}`}>
          <Wallet className="bh-icon" aria-hidden />
          <span className="bh-fig">{shortAddress(address)}</span>
          <ChevronDown className="bh-icon" aria-hidden />
        </button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="bh-pop bh-menu" align="end" sideOffset={8} collisionPadding={8}>
          <DropdownMenu.Label className="bh-menu__label">
            <span className="bh-muted">Balance</span>
            <span className="bh-fig" data-testid="menu-balance">
              {lamports ? `${ownSol(lamports)} SOL` : "—"}
            </span>
          </DropdownMenu.Label>
          {localnet && <FaucetItem lamports={lamports} />}
          <DropdownMenu.Item className="bh-menu__item" onSelect={copy} data-testid="copy-account">
            {copied ? <Check className="bh-icon" aria-hidden /> : <Copy className="bh-icon" aria-hidden />}
            {copied ? "Copied" : "Copy address"}
          </DropdownMenu.Item>
          <DropdownMenu.Item className="bh-menu__item" asChild>
            <Link to="/wallet" data-testid="menu-wallet">
              <Wallet className="bh-icon" aria-hidden />
              Deposit and withdraw
            </Link>
          </DropdownMenu.Item>
          <DropdownMenu.Item className="bh-menu__item" asChild>
            <Link to="/account" data-testid="menu-account">
              <KeyRound className="bh-icon" aria-hidden />
              Keys and sessions
            </Link>
          </DropdownMenu.Item>
          {role && (
            <DropdownMenu.Item className="bh-menu__item" asChild>
              <Link to="/admin" data-testid="menu-admin">
                <Gauge className="bh-icon" aria-hidden />
                Operators' pages
              </Link>
            </DropdownMenu.Item>
          )}
          <DropdownMenu.Item className="bh-menu__item" onSelect={signOut} data-testid="sign-out">
            <LogOut className="bh-icon" aria-hidden />
            Sign out
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export function WalletButton({ address = "", lamports = "", localnet = false, known = false, role = "" }) {
  if (!known) return <span className="bh-skeleton bh-wallet__unknown" aria-hidden />;
  return address ? <SignedIn address={address} lamports={lamports} localnet={localnet} role={role} /> : <SignedOut localnet={localnet} />;
}
