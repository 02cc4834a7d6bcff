// Reads requests from standard input as JSON, sends each through the client library, and prints what came of each as JSON.
'use strict';
const path = require('path');
const { createRequire } = require('module');
const { requestsManager } = createRequire(path.join(process.argv[2], 'package.json'))('snyk-request-manager');

async function main() {
  const requests = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const manager = new requestsManager({ userAgentPrefix: 'portcullis-test' });
  const results = [];
  for (const request of requests) {
    try {
      const answer = await manager.request({ ...request, useRESTApi: true });
      results.push({ status: answer.status, data: answer.data });
    } catch (error) {
      results.push({ error: String((error && error.message && error.message.message) || (error && error.message) || error) });
    }
  }
  process.stdout.write(JSON.stringify(results));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(2);
});
