// Reads balances with three independent client libraries: `bun balances.mjs RPC_URL`, wallets on standard input as
// [{"address", "mints": [address, …]}], answers on standard output as {library: {address: {"lamports", mint: amount}}}.
import { address, createSolanaRpc } from "@solana/kit";
import { getAccount, getAssociatedTokenAddressSync, TOKEN_2022_PROGRAM_ID } from "@solana/spl-token";
import { Connection, PublicKey } from "@solana/web3.js";

const url = process.argv[2];
const wallets = JSON.parse(await Bun.stdin.text());
const connection = new Connection(url, "confirmed");
const rpc = createSolanaRpc(url);

async function web3(wallet) {
  const owner = new PublicKey(wallet.address);
  const held = await connection.getParsedTokenAccountsByOwner(owner, { programId: TOKEN_2022_PROGRAM_ID });
  const found = held.value.map(({ account }) => account.data.parsed.info);
  const tokens = found.map((info) => [info.mint, info.tokenAmount.amount]);
  return { lamports: String(await connection.getBalance(owner)), ...Object.fromEntries(tokens) };
}

async function splToken(wallet) {
  const owner = new PublicKey(wallet.address);
  const read = { lamports: String((await connection.getAccountInfo(owner)).lamports) };
  for (const mint of wallet.mints) {
    const key = getAssociatedTokenAddressSync(new PublicKey(mint), owner, false, TOKEN_2022_PROGRAM_ID);
    read[mint] = String((await getAccount(connection, key, "confirmed", TOKEN_2022_PROGRAM_ID)).amount);
  }
  return read;
}

async function kit(wallet) {
  const owner = address(wallet.address);
  const program = { programId: address(TOKEN_2022_PROGRAM_ID.toBase58()) };
  const config = { commitment: "confirmed", encoding: "jsonParsed" };
  const held = await rpc.getTokenAccountsByOwner(owner, program, config).send();
  const found = held.value.map(({ account }) => account.data.parsed.info);
  const { value } = await rpc.getBalance(owner, { commitment: "confirmed" }).send();
  return { lamports: String(value), ...Object.fromEntries(found.map((info) => [info.mint, info.tokenAmount.amount])) };
}

const answer = {};
for (const [name, read] of Object.entries({ "web3.js": web3, "spl-token": splToken, kit })) {
  answer[name] = {};
  for (const wallet of wallets) answer[name][wallet.address] = await read(wallet);
}
console.log(JSON.stringify(answer));
process.exit(0);
