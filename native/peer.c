/* The peer of a Unix socket, as the kernel recorded it at connect. */
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Groups that are asked for at first; more than most users have. */
#define GROUPS_AT_FIRST 64

/* Supplementary groups as the kernel has them; NULL leaves errno. */
static gid_t *read_groups(int fd, socklen_t *length)
{
	gid_t *groups = NULL;

	*length = GROUPS_AT_FIRST * sizeof(gid_t);
	/* ERANGE sets the length to what is needed; the list was fixed at connect. */
	for (int tries = 0; tries < 2; tries++) {
		gid_t *larger = realloc(groups, *length);

		if (larger == NULL)
			break;
		groups = larger;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, length) == 0)
			return groups;
		if (errno != ERANGE)
			break;
	}
	int error = errno;
	free(groups);
	errno = error;
	return NULL;
}

/* Supplementary groups of the peer; kernels before 4.13 lack the option, which reads as none. */
static napi_value give_groups(napi_env env, int fd)
{
	napi_value list = NULL;
	socklen_t length = 0;
	gid_t *groups = read_groups(fd, &length);

	if (groups == NULL && errno == ENOPROTOOPT)
		length = 0;
	else if (groups == NULL)
		return throw_errno(env, errno, "getsockopt(SO_PEERGROUPS)");
	size_t count = length / sizeof(gid_t);
	bool whole = check_status(env, napi_create_array_with_length(env, count, &list));
	for (size_t i = 0; whole && i < count; i++) {
		napi_value gid = give_double(env, groups[i]);

		whole = gid != NULL &&
			check_status(env, napi_set_element(env, list, (uint32_t)i, gid));
	}
	free(groups);
	return whole ? list : NULL;
}

/* (fd) -> { pid, uid, gid, groups } */
static napi_value peer_credentials(napi_env env, napi_callback_info info)
{
	struct ucred credentials = { 0 };
	socklen_t length = sizeof(credentials);
	napi_value values[1], result = NULL;
	int32_t fd;

	if (!take_arguments(env, info, 1, values) || !take_int32(env, values[0], "fd", &fd))
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		return throw_errno(env, errno, "getsockopt(SO_PEERCRED)");
	if (!check_status(env, napi_create_object(env, &result)) ||
	    !set_property(env, result, "pid", give_int32(env, credentials.pid)) ||
	    !set_property(env, result, "uid", give_double(env, credentials.uid)) ||
	    !set_property(env, result, "gid", give_double(env, credentials.gid)) ||
	    !set_property(env, result, "groups", give_groups(env, fd)))
		return NULL;
	return result;
}

static const struct function functions[] = {
	{ "peerCredentials", peer_credentials },
};

bool peer_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
