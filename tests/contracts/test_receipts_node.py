"""Contract: Node verifies our receipts with its own JSON, base64 and Ed25519, none of it Python's.

Skipped with a word where Node is missing, but never in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tools.receipts.chains import NOON, Signed, chain_lines, open_ring

CHECK = """
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
const [file, jwks] = process.argv.slice(1);
const keys = new Map(JSON.parse(readFileSync(jwks)).keys.map((jwk) =>
  [jwk.kid, createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: "jwk" })]));
const canonical = (value) => Array.isArray(value) ? `[${value.map(canonical)}]`
  : value !== null && typeof value === "object"
    ? `{${Object.keys(value).sort().map((k) => `${JSON.stringify(k)}:${canonical(value[k])}`)}}`
    : JSON.stringify(value);
const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash("sha256")).digest();
const tree = (l) => { if (l.length === 1) return l[0]; let k = 1; while (k * 2 < l.length) k *= 2;
  return sha256(Buffer.of(1), tree(l.slice(0, k)), tree(l.slice(k))); };
let prev = "", seq = 0, notes = 0; const leaves = [];
for (const line of readFileSync(file, "utf8").trimEnd().split("\\n")) {
  const { receipt, checkpoint } = JSON.parse(line);
  if (checkpoint) {
    const [body, signatures] = checkpoint.split("\\n\\n");
    const [origin, size, root] = body.split("\\n");
    const raw = Buffer.from(signatures.trimEnd().split(" ")[2], "base64");
    const good = [...keys.values()].filter((key) => {
      const x = Buffer.from(key.export({ format: "jwk" }).x, "base64url");
      const id = sha256(origin, "\\n", Buffer.of(1), x).subarray(0, 4);
      return id.equals(raw.subarray(0, 4)) &&
        verify(null, Buffer.from(body + "\\n"), key, raw.subarray(4));
    });
    if (good.length !== 1) throw new Error(`checkpoint of ${size}: signature`);
    if (+size !== seq || tree(leaves).toString("base64") !== root) throw new Error(`root ${size}`);
    notes += 1;
    continue;
  }
  const [header, payload, signature] = receipt.split(".");
  const head = JSON.parse(Buffer.from(header, "base64url"));
  const text = Buffer.from(payload, "base64url").toString(), body = JSON.parse(text);
  if (`${head.alg},${Object.keys(head)}` !== "Ed25519,alg,kid,typ") throw new Error("header");
  if (!verify(null, Buffer.from(`${header}.${payload}`), keys.get(head.kid),
      Buffer.from(signature, "base64url"))) throw new Error(`signature of ${body.seq}`);
  if (canonical(body) !== text) throw new Error(`form of ${body.seq}`);
  if (body.prev !== prev || body.seq !== ++seq) throw new Error(`chain at ${body.seq}`);
  prev = sha256(receipt).toString("base64url");
  leaves.push(sha256(Buffer.of(0), receipt));
}
console.log(JSON.stringify({ seq, notes }));
"""
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None and not os.environ.get("CI"), reason="node is not installed")
def test_node_verifies_signatures_chain_and_checkpoints(tmp_path: Path) -> None:
    assert NODE, "in CI this contract is not skipped: node is not installed"
    ring = open_ring(tmp_path / "keys")
    chain = Signed("acme ü", ring, now=NOON)
    file, jwks = tmp_path / "receipts.jsonl", tmp_path / "jwks.json"
    file.write_text("".join(chain_lines(chain, 300, 64)), encoding="utf-8")
    jwks.write_text(json.dumps(ring.jwks()))
    command = [NODE, "--input-type=module", "--eval", CHECK, "--", str(file), str(jwks)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"seq": 300, "notes": 4}
    file.write_text(file.read_text(encoding="utf-8").replace("eyJ", "eyI", 1), encoding="utf-8")
    damaged = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert damaged.returncode != 0  # so that the check is known to check
