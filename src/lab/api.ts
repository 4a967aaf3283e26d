/** Reads the daemon's API over its Unix socket with nothing but Node: what `curl` would see. */

import { request } from 'node:http';

/**
 * Ours: reading is answered in milliseconds, on a crowded machine in seconds. How soon is for the
 * tests that compare times; a daemon silent for longer than this is not well.
 */
export const ANSWER_MS = 30_000;

/**
 * The text that the daemon answers to GET `path`.
 *
 * @throws Error when it is not reachable, silent, or answers with another status than 200
 */
export function getText(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, timeout: ANSWER_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`GET ${path}: ${response.statusCode} ${text}`));
      });
    });
    asking.on('timeout', () => asking.destroy(new Error(`GET ${path}: no answer`)));
    asking.on('error', reject);
    asking.end();
  });
}

/** The same as JSON. @throws as `getText`, and SyntaxError */
export async function getJson(socketPath: string, path: string): Promise<unknown> {
  return JSON.parse(await getText(socketPath, path));
}
