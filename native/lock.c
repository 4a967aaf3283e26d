/* A lock on an open file that the kernel releases with its last descriptor (flock). */
#include "native.h"

#include <errno.h>
#include <sys/file.h>

/* (fd) -> true, or false if another open file holds the lock. Does not wait. */
static napi_value file_lock(napi_env env, napi_callback_info info)
{
	napi_value values[1];
	int32_t fd;

	if (!take_arguments(env, info, 1, values) || !take_int32(env, values[0], "fd", &fd))
		return NULL;
	bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;

	if (!locked && errno != EWOULDBLOCK)
		return throw_errno(env, errno, "flock");
	return give_bool(env, locked);
}

static const struct function functions[] = {
	{ "fileLock", file_lock },
};

bool lock_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
