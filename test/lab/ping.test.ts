/** What ping has printed, judged by sequence numbers. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { pingCommand, pingResult } from '../../src/lab/measure/ping.ts';

const HEAD = 'PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.';

function answers(...sequences: (number | string)[]): string {
  const lines = sequences.map(
    (sequence) => `64 bytes from 192.0.2.1: icmp_seq=${sequence} ttl=64 time=0.1 ms`,
  );
  return [HEAD, ...lines, '', '--- 192.0.2.1 ping statistics ---', ''].join('\n');
}

test('all of the requests, and a gap among them', () => {
  deepEqual(pingResult(answers(1, 2, 3), 3), { answered: 3, duplicates: 0 });
  deepEqual(pingResult(answers(1, 3), 3), { answered: 2, duplicates: 0 });
  deepEqual(pingResult(answers(), 3), { answered: 0, duplicates: 0 });
});

test('answers to requests beyond the count do not fill a gap', () => {
  deepEqual(pingResult(answers(1, 3, 4), 3), { answered: 2, duplicates: 0 });
  deepEqual(pingResult(answers(1, 2, 3, 4), 3), { answered: 3, duplicates: 0 });
});

test('copies are counted apart, errors are no answers', () => {
  const copy = `${answers(1)}64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=9 ms (DUP!)\n`;
  deepEqual(pingResult(copy, 3), { answered: 1, duplicates: 1 });
  const error = 'From 192.0.2.9 icmp_seq=1 Destination Host Unreachable\n';
  deepEqual(pingResult(error, 3), { answered: 0, duplicates: 0 });
});

test('several are waited for until they are there, one or none for a short time', () => {
  const command = (options = {}): string => pingCommand('192.0.2.1', options).join(' ');
  equal(command(), 'ping -n -c 3 -i 0.05 -w 5 192.0.2.1');
  equal(command({ count: 400, intervalS: 0.01 }), 'ping -n -c 400 -i 0.01 -w 8 192.0.2.1');
  equal(command({ count: 1 }), 'ping -n -c 1 -i 0.05 -W 2 192.0.2.1');
  const silent = { count: 2, silenceS: 0.5, args: ['-I', '192.0.2.10'] };
  equal(command(silent), 'ping -n -c 2 -i 0.05 -W 0.5 -I 192.0.2.10 192.0.2.1');
});
