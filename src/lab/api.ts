/** Reads the daemon's API over its Unix socket with nothing but Node: what `curl` would see. */

import { request } from 'node:http';

/** Ours: reading is answered in milliseconds; a daemon silent for longer is not well. */
const ANSWER_MS = 3000;

/**
 * The JSON that the daemon answers to GET `path`.
 *
 * @throws Error when it is not reachable, silent, or answers with another status than 200
 */
export function getJson(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, timeout: ANSWER_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== 200) {
          reject(new Error(`GET ${path}: ${response.statusCode} ${text}`));
          return;
        }
        try {
          resolve(JSON.parse(text));
        } catch (error) {
          reject(error);
        }
      });
    });
    asking.on('timeout', () => asking.destroy(new Error(`GET ${path}: no answer`)));
    asking.on('error', reject);
    asking.end();
  });
}
