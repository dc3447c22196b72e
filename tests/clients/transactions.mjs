// Sends, confirms and reads back transactions with three independent client libraries: `bun transactions.mjs RPC WS`.
// Answers on standard output with what each of them moved and read.
import {
  address,
  airdropFactory,
  appendTransactionMessageInstruction,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  generateKeyPairSigner,
  getSignatureFromTransaction,
  lamports,
  pipe,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from "@solana/kit";
import {
  createAssociatedTokenAccount,
  createMint,
  getAccount,
  getMint,
  mintTo,
  TOKEN_2022_PROGRAM_ID,
  transferChecked,
} from "@solana/spl-token";
import {
  Connection,
  Keypair,
  LAMPORTS_PER_SOL,
  sendAndConfirmTransaction,
  SystemProgram,
  Transaction,
} from "@solana/web3.js";

const [url, socketUrl] = process.argv.slice(2);
const PAID = 123_456_789;
const SYSTEM = address("11111111111111111111111111111111");

async function funded(connection) {
  const payer = Keypair.generate();
  const signature = await connection.requestAirdrop(payer.publicKey, 5 * LAMPORTS_PER_SOL);
  await connection.confirmTransaction({ signature, ...(await connection.getLatestBlockhash()) }, "confirmed");
  return payer;
}

async function web3() {
  const connection = new Connection(url, { commitment: "confirmed", wsEndpoint: socketUrl });
  const payer = await funded(connection);
  const to = Keypair.generate().publicKey;
  const pay = SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports: PAID });
  const signature = await sendAndConfirmTransaction(connection, new Transaction().add(pay), [payer]);
  const read = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0, commitment: "confirmed" });
  return { received: await connection.getBalance(to), fee: read.meta.fee, error: read.meta.err };
}

async function splToken() {
  const connection = new Connection(url, { commitment: "confirmed", wsEndpoint: socketUrl });
  const payer = await funded(connection);
  const other = Keypair.generate();
  const mint = await createMint(connection, payer, payer.publicKey, null, 6, undefined, undefined, TOKEN_2022_PROGRAM_ID);
  const of = (owner) => createAssociatedTokenAccount(connection, payer, mint, owner, undefined, TOKEN_2022_PROGRAM_ID);
  const from = await of(payer.publicKey);
  const to = await of(other.publicKey);
  await mintTo(connection, payer, mint, from, payer, 1_000_000, [], undefined, TOKEN_2022_PROGRAM_ID);
  await transferChecked(connection, payer, from, mint, to, payer, 250_000, 6, [], undefined, TOKEN_2022_PROGRAM_ID);
  const supply = (await getMint(connection, mint, "confirmed", TOKEN_2022_PROGRAM_ID)).supply;
  const received = (await getAccount(connection, to, "confirmed", TOKEN_2022_PROGRAM_ID)).amount;
  return { supply: Number(supply), received: Number(received) };
}

function transferOf(source, destination, amount) {
  const data = new Uint8Array(12);
  const view = new DataView(data.buffer);
  view.setUint32(0, 2, true);
  view.setBigUint64(4, amount, true);
  const accounts = [{ address: source.address, role: 3, signer: source }, { address: destination, role: 1 }];
  return { programAddress: SYSTEM, accounts, data };
}

async function kit() {
  const rpc = createSolanaRpc(url);
  const rpcSubscriptions = createSolanaRpcSubscriptions(socketUrl);
  const payer = await generateKeyPairSigner();
  const to = (await generateKeyPairSigner()).address;
  const airdrop = airdropFactory({ rpc, rpcSubscriptions });
  await airdrop({ commitment: "confirmed", lamports: lamports(5_000_000_000n), recipientAddress: payer.address });
  const { value: blockhash } = await rpc.getLatestBlockhash({ commitment: "confirmed" }).send();
  const message = pipe(
    createTransactionMessage({ version: 0 }),
    (one) => setTransactionMessageFeePayerSigner(payer, one),
    (one) => setTransactionMessageLifetimeUsingBlockhash(blockhash, one),
    (one) => appendTransactionMessageInstruction(transferOf(payer, to, BigInt(PAID)), one),
  );
  const transaction = await signTransactionMessageWithSigners(message);
  await sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions })(transaction, { commitment: "confirmed" });
  const signature = getSignatureFromTransaction(transaction);
  const config = { commitment: "confirmed", maxSupportedTransactionVersion: 0, encoding: "json" };
  const read = await rpc.getTransaction(signature, config).send();
  const received = (await rpc.getBalance(to, { commitment: "confirmed" }).send()).value;
  return { received: Number(received), fee: Number(read.meta.fee), error: read.meta.err };
}

console.log(JSON.stringify({ "web3.js": await web3(), "spl-token": await splToken(), kit: await kit() }));
process.exit(0);
