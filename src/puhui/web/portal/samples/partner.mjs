// A partner of Puhui in JavaScript (Node 18+, no package): sign a request, check the reply, check an event that Puhui sends.
//
//   node partner.mjs call  BASE_URL KEY_ID KEY.pem METHOD PATH [BODY.json|-] [IDEMPOTENCY_KEY]
//   node partner.mjs check BASE_URL REQUEST.json
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const digestOf = (body) => createHash("sha256").update(body).digest("hex");

// The time to sign with: the wall clock, or the run's own where the sandbox steps its clock.
async function nowMs(base) {
  const health = await (await fetch(`${base}/health`)).json();
  return health.clock === "stepped" ? Date.parse(health.at) : Date.now();
}

async function lenderKeys(base) {
  const { keys } = await (await fetch(`${base}/keys`)).json();
  return new Map(keys.map((key) => [key.key_id, createPublicKey({ key: Buffer.from(key.public_key, "base64"), format: "der", type: "spki" })]));
}

// Send one signed request; give { status, body }. The same idempotency key again gives the same answer again.
export async function call(base, keyId, keyFile, method, path, body = "", idempotencyKey = "") {
  const key = createPrivateKey(readFileSync(keyFile));
  const time = String(await nowMs(base)), nonce = randomBytes(16).toString("hex"), digest = digestOf(body);
  const text = ["puhui-v1", method, path, keyId, time, nonce, idempotencyKey, digest].join("\n");
  const headers = {
    "Puhui-Key": keyId, "Puhui-Alg": "ed25519", "Puhui-Time": time, "Puhui-Nonce": nonce, "Puhui-Digest": digest,
    "Puhui-Sign": sign(null, Buffer.from(text), key).toString("base64"), "Content-Type": "application/json",
  };
  if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
  const answer = await fetch(base + path, { method, headers, body: body || undefined });
  const raw = Buffer.from(await answer.arrayBuffer()), told = (name) => answer.headers.get(name) ?? "";
  const reply = ["puhui-v1-reply", answer.status, nonce, told("puhui-key"), told("puhui-time"), idempotencyKey, told("puhui-digest")].join("\n");
  const lender = (await lenderKeys(base)).get(told("puhui-key"));
  if (told("puhui-digest") !== digestOf(raw) || !lender || !verify(null, Buffer.from(reply), lender, Buffer.from(told("puhui-sign"), "base64")))
    throw new Error("the reply is not signed by the lender: it counts as no reply");
  return { status: answer.status, body: raw.toString("utf8") };
}

// Check an event as it arrived. Keep the nonces of ten minutes and refuse one seen before; refuse a time more than 300 s off.
export async function isFromTheLender(base, request) {
  const headers = new Map(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const told = (name) => headers.get(name) ?? "";
  const key = (await lenderKeys(base)).get(told("puhui-key"));
  if (!key || told("puhui-digest") !== digestOf(request.body)) return false;
  const text = ["puhui-v1", request.method, request.path, told("puhui-key"), told("puhui-time"), told("puhui-nonce"), told("idempotency-key"), told("puhui-digest")].join("\n");
  return verify(null, Buffer.from(text), key, Buffer.from(told("puhui-sign"), "base64")) && Math.abs(Number(told("puhui-time")) - (await nowMs(base))) <= 300_000;
}

const [verb, base, ...rest] = process.argv.slice(2);
if (verb === "call") {
  const [keyId, keyFile, method, path, bodyFile = "-", idempotencyKey = ""] = rest;
  const { status, body } = await call(base, keyId, keyFile, method, path, bodyFile === "-" ? "" : readFileSync(bodyFile, "utf8"), idempotencyKey);
  console.log(status, body);
} else if (verb === "check") {
  console.log((await isFromTheLender(base, JSON.parse(readFileSync(rest[0], "utf8")))) ? "good" : "bad");
}
