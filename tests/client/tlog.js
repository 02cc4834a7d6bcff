// node tlog.js DIRECTORY: reads {vkey, proofs: [{line, index, hashes, note}]} from stdin (line and hashes in base64) and judges each with the
// verifier of transparency logs that is installed in DIRECTORY (npm: @sigstore/verify): is this line at this index in the tree whose root the
// note has signed? Prints a list: null for what holds, the fault for what does not.
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const { verifyTLogTimestamp } = require(path.join(process.argv[2], 'node_modules/@sigstore/verify/dist/timestamp'));

function authority(vkey) {
  const [, id, key] = vkey.trim().match(/^[^+]+\+([0-9a-f]{8})\+(.+)$/);
  const x = Buffer.from(key, 'base64').subarray(1).toString('base64url');
  return {
    logID: Buffer.from(id, 'hex'),
    publicKey: crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }),
    validFor: { start: new Date(0), end: new Date(8.64e15) },
  };
}

function entry({ line, index, hashes, note }) {
  const [, treeSize, root] = note.split('\n');
  return {
    canonicalizedBody: Buffer.from(line, 'base64'),
    inclusionProof: {
      logIndex: String(index),
      treeSize,
      rootHash: Buffer.from(root, 'base64'),
      hashes: hashes.map((hash) => Buffer.from(hash, 'base64')),
      checkpoint: { envelope: note },
    },
    integratedTime: '0',
    logId: { keyId: Buffer.alloc(0) },
  };
}

const { vkey, proofs } = JSON.parse(fs.readFileSync(0, 'utf8'));
const log = authority(vkey);

console.log(JSON.stringify(proofs.map((proof) => {
  try {
    verifyTLogTimestamp(entry(proof), [log]);
    return null;
  } catch (error) {
    return error.message;
  }
})));
