/** Program: the lab in a process of its own, as root of a user namespace or as a keeper. */

import { labMain } from './main.ts';

process.exitCode = await labMain(process.argv.slice(2));
