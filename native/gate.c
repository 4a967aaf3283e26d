/*
 * The gate: where tests hold what would wait for the kernel's configuration lock, for exactly as
 * long as they choose.
 *
 * The environment variable IPMPD_KERNEL_GATE names a file. A process that holds a lock on it
 * (flock) stops every call of this addon that takes the kernel's lock, in its own thread, until
 * the file is unlocked. Without the variable the gate is open and costs one comparison.
 */
#include "operation.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static pthread_once_t gate_once = PTHREAD_ONCE_INIT;
static const char *gate_path;

static void gate_find(void)
{
	gate_path = getenv("IPMPD_KERNEL_GATE");
}

void kernel_gate(void)
{
	int fd;

	must(pthread_once(&gate_once, gate_find));
	if (gate_path == NULL)
		return;
	/* A descriptor of its own: locks belong to the open file, not to the thread. */
	fd = open(gate_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (flock(fd, LOCK_SH) < 0 && errno == EINTR)
		;
	close_own(fd);
}
