/* One datagram to a Unix socket by its path: how progress is reported to a service manager. */
#include "native.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEXT_LENGTH_MAX = 4096 };

/*
 * (path, text). A path that begins with @ is a name of the abstract namespace. Does not wait:
 * EAGAIN if the receiver's queue is full.
 */
static napi_value datagram_send(napi_env env, napi_callback_info info)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char text[TEXT_LENGTH_MAX];
	napi_value values[2];

	if (!take_arguments(env, info, 2, values) ||
	    !take_string(env, values[0], "path", address.sun_path, sizeof(address.sun_path)) ||
	    !take_string(env, values[1], "text", text, sizeof(text)))
		return NULL;

	socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	else
		length++;

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return throw_errno(env, errno, "socket(AF_UNIX)");
	ssize_t sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			      (const struct sockaddr *)&address, length);
	int error = errno;

	close_own(fd);
	if (sent < 0)
		return throw_errno(env, error, "sendto");
	return give_undefined(env);
}

static const struct function functions[] = {
	{ "datagramSend", datagram_send },
};

bool notify_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
