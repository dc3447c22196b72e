// Proving to have a wallet's key: the wallet signs a text, the server compares it and answers with a fresh session.
import { getWallets } from "@wallet-standard/app";
import { call } from "$/public/external/blitzhub/client/api.js";
import { registerDemoWallet } from "./demo_wallet.js";
import { signInText, toBase64 } from "./siws.js";

export const DEMO = "Demo wallet";
const STORE = "blitzhub.wallet";

export const canSignIn = (wallet) =>
  wallet.chains.some((chain) => chain.startsWith("solana:")) &&
  ("solana:signIn" in wallet.features || ("standard:connect" in wallet.features && "solana:signMessage" in wallet.features));

export async function signed(wallet, input) {
  if ("solana:signIn" in wallet.features) {
    const [output] = await wallet.features["solana:signIn"].signIn(input);
    return { address: output.account.address, message: output.signedMessage, signature: output.signature };
  }
  const { accounts } = await wallet.features["standard:connect"].connect();
  const account = accounts.find((a) => a.features.includes("solana:signMessage")) ?? accounts[0];
  if (!account) throw new Error("The wallet gave no account.");
  const text = new TextEncoder().encode(signInText(input, account.address));
  const [output] = await wallet.features["solana:signMessage"].signMessage({ account, message: text });
  return { address: account.address, message: output.signedMessage, signature: output.signature };
}

/** Hand the signed text in; the session begins with the answer's cookie. */
export function verify(input, proof) {
  return call("POST", "/auth/verify", {
    nonce: input.nonce,
    address: proof.address,
    message: new TextDecoder().decode(proof.message),
    signature: toBase64(proof.signature),
  });
}

export function rememberWallet(name) {
  localStorage.setItem(STORE, name);
}

/** Ask for what the wallet must sign; done before the click that opens the wallet. */
export const prepareSignIn = () => call("POST", "/auth/nonce", {});

/**
 * Sign in once more as `account`, with the wallet it was signed in with before.
 * @throws {Error} no such wallet, declined, or another account
 */
export async function signInAgain(account, localnet, prepared) {
  if (localnet) registerDemoWallet();
  const usable = getWallets().get().filter(canSignIn);
  const wallet = usable.find((one) => one.name === localStorage.getItem(STORE)) ?? usable[0];
  if (!wallet) throw new Error("No Solana wallet found.");
  const { input } = await prepared;
  let proof;
  try {
    proof = await signed(wallet, input);
  } catch {
    throw new Error("You declined in the wallet. Nothing happened.");
  }
  if (proof.address !== account) throw new Error("The wallet signed with another account than the one you are signed in with.");
  await verify(input, proof);
}
