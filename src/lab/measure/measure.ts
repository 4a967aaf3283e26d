/** The two measurements of the lab, for their user: an echo stream and a TCP transfer. */

import type { Workspace } from '../workspace.ts';
import { MeasuringChild } from './child.ts';
import type { EchoSummary } from './echo-record.ts';

const PROBER = new URL('./prober.js', import.meta.url);
const BULK = new URL('./bulk.js', import.meta.url);

/**
 * Linux: TCP_RTO_MAX. A connection whose path failed again and again is silent for twice as long
 * each time, also after the path is mended.
 */
const RETRANSMITTED_WITHIN_MS = 120_000;

/** A running stream of echo requests from the host, a thousand a second by default. */
export class EchoStream {
  readonly #child: MeasuringChild;

  private constructor(child: MeasuringChild) {
    this.#child = child;
  }

  /** Starts the stream from the namespace of `role` to `target`. */
  static async start(
    workspace: Workspace,
    target: string,
    { role = 'host', perSecond = 1000 } = {},
  ): Promise<EchoStream> {
    const child = new MeasuringChild(workspace, role, PROBER, [target, String(perSecond)]);
    await child.receive('ready');
    return new EchoStream(child);
  }

  /** What follows belongs to the event `label`, until the next mark. */
  async mark(label: string): Promise<void> {
    await this.#child.ask({ kind: 'mark', label }, 'marked');
  }

  /** The summary so far; requests still under way count as lost. */
  async peek(): Promise<EchoSummary> {
    const { summary } = await this.#child.ask({ kind: 'peek' }, 'counts');
    return summary as EchoSummary;
  }

  /** Stops sending, waits half a second for stragglers, and returns the summary. */
  async stop(): Promise<EchoSummary> {
    const { summary } = await this.#child.ask({ kind: 'stop' }, 'summary');
    await this.#child.stop();
    return summary as EchoSummary;
  }
}

/** One end's account of a transfer. */
export interface TransferEnd {
  readonly bytes: number;
  readonly sha256: string;
}

/** A running TCP transfer from one namespace to another. */
export class Transfer {
  readonly #receiver: MeasuringChild;
  readonly #sender: MeasuringChild;

  private constructor(receiver: MeasuringChild, sender: MeasuringChild) {
    this.#receiver = receiver;
    this.#sender = sender;
  }

  /** Starts a transfer to `address`, which the namespace of `to` owns; `rate` in bytes a second. */
  static async start(
    workspace: Workspace,
    { from, to, address, rate }: { from: string; to: string; address: string; rate: number },
  ): Promise<Transfer> {
    const receiver = new MeasuringChild(workspace, to, BULK, ['receive', address]);
    const { port } = await receiver.receive('ready');
    const args = ['send', address, String(port), String(rate)];
    const sender = new MeasuringChild(workspace, from, BULK, args);
    await sender.receive('ready');
    return new Transfer(receiver, sender);
  }

  /** Bytes that have arrived by now. */
  async offset(): Promise<number> {
    const { bytes } = await this.#receiver.ask({ kind: 'offset' }, 'at');
    return Number(bytes);
  }

  /** Ends the transfer and returns both ends' accounts; they are equal if TCP kept its promise. */
  async finish(): Promise<{ sent: TransferEnd; received: TransferEnd }> {
    const received = this.#receiver.receive('done', RETRANSMITTED_WITHIN_MS);
    received.catch(() => undefined);
    const sent = await this.#sender.ask({ kind: 'finish' }, 'done');
    const accounts = { sent: endOf(sent), received: endOf(await received) };
    await Promise.all([this.#receiver.stop(), this.#sender.stop()]);
    return accounts;
  }
}

function endOf(message: { readonly [key: string]: unknown }): TransferEnd {
  return { bytes: Number(message.bytes), sha256: String(message.sha256) };
}
