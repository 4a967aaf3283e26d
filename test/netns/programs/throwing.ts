/** Program: takes the terminal as the live view does, draws, and ends by an exception. */

import { Screen } from '../../../src/lab/live/screen.ts';
import { span } from '../../../src/lab/live/text.ts';

const screen = new Screen({
  input: process.stdin,
  output: process.stdout,
  hasColour: true,
  onChange: () => undefined,
  onInput: () => {
    throw new Error('thrown on purpose');
  },
  onGone: () => undefined,
});
screen.enter();
screen.draw([[span('press a key')]]);
