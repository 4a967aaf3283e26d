/*
 * Errors by name. One table serves thrown errors (code, errno, syscall) and the negative
 * numbers that bursts return; a number outside the table keeps its number as its name.
 */
#include "native.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMED(name) { name, #name }

static const struct {
	int number;
	const char *name;
} errno_table[] = {
	NAMED(EPERM), NAMED(ENOENT), NAMED(ESRCH), NAMED(EINTR), NAMED(EIO), NAMED(ENXIO),
	NAMED(E2BIG), NAMED(ENOEXEC), NAMED(EBADF), NAMED(ECHILD), NAMED(EAGAIN), NAMED(ENOMEM),
	NAMED(EACCES), NAMED(EFAULT), NAMED(ENOTBLK), NAMED(EBUSY), NAMED(EEXIST), NAMED(EXDEV),
	NAMED(ENODEV), NAMED(ENOTDIR), NAMED(EISDIR), NAMED(EINVAL), NAMED(ENFILE), NAMED(EMFILE),
	NAMED(ENOTTY), NAMED(ETXTBSY), NAMED(EFBIG), NAMED(ENOSPC), NAMED(ESPIPE), NAMED(EROFS),
	NAMED(EMLINK), NAMED(EPIPE), NAMED(EDOM), NAMED(ERANGE), NAMED(EDEADLK),
	NAMED(ENAMETOOLONG), NAMED(ENOLCK), NAMED(ENOSYS), NAMED(ENOTEMPTY), NAMED(ELOOP),
	NAMED(ENODATA), NAMED(ETIME), NAMED(ENOLINK), NAMED(EPROTO), NAMED(EBADMSG),
	NAMED(EOVERFLOW), NAMED(ENOTUNIQ), NAMED(EBADFD), NAMED(EREMCHG), NAMED(EUSERS),
	NAMED(ENOTSOCK), NAMED(EDESTADDRREQ), NAMED(EMSGSIZE), NAMED(EPROTOTYPE),
	NAMED(ENOPROTOOPT), NAMED(EPROTONOSUPPORT), NAMED(ESOCKTNOSUPPORT), NAMED(EOPNOTSUPP),
	NAMED(EPFNOSUPPORT), NAMED(EAFNOSUPPORT), NAMED(EADDRINUSE), NAMED(EADDRNOTAVAIL),
	NAMED(ENETDOWN), NAMED(ENETUNREACH), NAMED(ENETRESET), NAMED(ECONNABORTED),
	NAMED(ECONNRESET), NAMED(ENOBUFS), NAMED(EISCONN), NAMED(ENOTCONN), NAMED(ESHUTDOWN),
	NAMED(ETIMEDOUT), NAMED(ECONNREFUSED), NAMED(EHOSTDOWN), NAMED(EHOSTUNREACH),
	NAMED(EALREADY), NAMED(EINPROGRESS), NAMED(ESTALE), NAMED(EDQUOT), NAMED(ECANCELED),
};

#define ERRNO_COUNT (sizeof(errno_table) / sizeof(errno_table[0]))

const char *errno_name(int error)
{
	for (size_t i = 0; i < ERRNO_COUNT; i++) {
		if (errno_table[i].number == error)
			return errno_table[i].name;
	}
	return NULL;
}

napi_value errno_numbers(napi_env env)
{
	napi_value numbers = NULL;

	if (!check_status(env, napi_create_object(env, &numbers)))
		return NULL;
	for (size_t i = 0; i < ERRNO_COUNT; i++) {
		if (!set_property(env, numbers, errno_table[i].name,
				  give_int32(env, errno_table[i].number)))
			return NULL;
	}
	return numbers;
}

napi_value throw_errno(napi_env env, int error, const char *syscall)
{
	const char *name = errno_name(error);
	char number[16], text[96], message[256];
	napi_value code, words, thrown = NULL;

	if (name == NULL) {
		snprintf(number, sizeof(number), "E%d", error);
		name = number;
	}
	snprintf(message, sizeof(message), "%s: %s, %s", name,
		 strerror_r(error, text, sizeof(text)), syscall);
	code = give_string(env, name);
	words = give_string(env, message);
	if (code == NULL || words == NULL)
		return NULL;
	if (!check_status(env, napi_create_error(env, code, words, &thrown)) ||
	    !set_property(env, thrown, "errno", give_int32(env, error)) ||
	    !set_property(env, thrown, "syscall", give_string(env, syscall)))
		return NULL;
	check_status(env, napi_throw(env, thrown));
	return NULL;
}
