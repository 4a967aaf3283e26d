/*
 * A netlink socket for notifications, on the event loop of the thread that opened it. Receiving
 * what was multicast never waits; what is asked of the kernel goes through request.c.
 *
 * It is ours because the loss of messages must be an event, not the end of the process: the
 * kernel reports an overrun once, as ENOBUFS of the next read. libuv sees it as an error of the
 * descriptor and stops polling, so polling is started again after each such report.
 *
 * Life: `owners` counts the poll handle, which lives until its close callback, and the external
 * that JavaScript holds. Closing may begin in netlinkClose, in the finalizer of a forgotten
 * external, or when the environment ends; the asynchronous clean-up hook makes an ending
 * environment wait for the close callback.
 */
#include "native.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* The largest datagram we expect; the kernel makes dumps of at most 32 KiB. */
#define DATAGRAM_LENGTH_MAX 65536

/* Ours: datagrams of other processes that are read in one call; none has a reason to send. */
#define FOREIGN_MAX 64

struct netlink {
	uv_poll_t poll;
	napi_env env;
	napi_ref on_readable;
	napi_async_context context;
	napi_async_cleanup_hook_handle hook;
	int fd;
	int pending_error; /* met after messages that had to be delivered first */
	unsigned int owners;
	bool polling; /* the poll handle is initialised */
	bool closing;
};

static void netlink_release(struct netlink *netlink)
{
	if (--netlink->owners > 0)
		return;
	free(netlink);
}

static void handle_closed(uv_handle_t *handle)
{
	struct netlink *netlink = handle->data;

	close_own(netlink->fd);
	if (netlink->hook != NULL)
		must(napi_remove_async_cleanup_hook(netlink->hook));
	netlink_release(netlink);
}

/* Stops everything that could call JavaScript; the descriptor is closed by handle_closed. */
static void begin_close(struct netlink *netlink)
{
	if (netlink->closing)
		return;
	netlink->closing = true;
	if (netlink->on_readable != NULL)
		must(napi_delete_reference(netlink->env, netlink->on_readable));
	if (netlink->context != NULL)
		must(napi_async_destroy(netlink->env, netlink->context));
	if (netlink->polling) {
		uv_close((uv_handle_t *)&netlink->poll, handle_closed);
	} else {
		close_own(netlink->fd);
		netlink_release(netlink);
	}
}

static void environment_ends(napi_async_cleanup_hook_handle hook, void *data)
{
	(void)hook;
	begin_close(data);
}

static void netlink_finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	begin_close(data);
	netlink_release(data);
}

static void handle_poll(uv_poll_t *poll, int status, int events)
{
	struct netlink *netlink = poll->data;
	napi_env env = netlink->env;
	napi_handle_scope scope = NULL;
	napi_value function = NULL, receiver = NULL;

	(void)events;
	/* Before the call, because the call may close the socket. */
	if (status < 0 && uv_poll_start(poll, UV_READABLE, handle_poll) != 0)
		napi_fatal_error("netlink.c", NAPI_AUTO_LENGTH, "polling does not start again",
				 NAPI_AUTO_LENGTH);
	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	if (napi_get_reference_value(env, netlink->on_readable, &function) == napi_ok &&
	    napi_get_global(env, &receiver) == napi_ok)
		report_exception(env, napi_make_callback(env, netlink->context, receiver, function,
							 0, NULL, NULL));
	must(napi_close_handle_scope(env, scope));
}

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

/* Opens and binds; returns the failed call's name with errno set, or NULL. */
static const char *open_socket(struct netlink *netlink, int protocol, struct words groups,
			       int receive_buffer)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };

	netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (netlink->fd < 0)
		return "socket";
	/* Beyond rmem_max only with CAP_NET_ADMIN; without it, what the system allows. */
	if (set_option(netlink->fd, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer) < 0 &&
	    (errno != EPERM || set_option(netlink->fd, SOL_SOCKET, SO_RCVBUF, receive_buffer) < 0))
		return "setsockopt(SO_RCVBUFFORCE)";
	if (bind(netlink->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return "bind";
	for (size_t i = 0; i < groups.length; i++) {
		if (set_option(netlink->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			       groups.data[i]) < 0)
			return "setsockopt(NETLINK_ADD_MEMBERSHIP)";
	}
	return NULL;
}

/* Joins the event loop; false leaves an exception, and begin_close undoes what was done. */
static bool join_loop(napi_env env, struct netlink *netlink, napi_value on_readable)
{
	napi_value name = give_string(env, "ipmpd:netlink");
	uv_loop_t *loop = NULL;
	int status;

	if (name == NULL ||
	    !check_status(env, napi_create_reference(env, on_readable, 1, &netlink->on_readable)) ||
	    !check_status(env, napi_async_init(env, NULL, name, &netlink->context)) ||
	    !check_status(env, napi_get_uv_event_loop(env, &loop)))
		return false;
	status = uv_poll_init(loop, &netlink->poll, netlink->fd);
	if (status < 0) {
		throw_errno(env, -status, "uv_poll_init");
		return false;
	}
	netlink->poll.data = netlink;
	netlink->polling = true;
	if (!check_status(env, napi_add_async_cleanup_hook(env, environment_ends, netlink,
							   &netlink->hook)))
		return false;
	status = uv_poll_start(&netlink->poll, UV_READABLE, handle_poll);
	if (status < 0) {
		throw_errno(env, -status, "uv_poll_start");
		return false;
	}
	return true;
}

/* (protocol, groups, receiveBufferBytes, onReadable) -> handle */
static napi_value netlink_open(napi_env env, napi_callback_info info)
{
	napi_value values[4], handle;
	int32_t protocol, receive_buffer;
	struct words groups;
	const char *failed;

	if (!take_arguments(env, info, 4, values) ||
	    !take_int32(env, values[0], "protocol", &protocol) ||
	    !take_words(env, values[1], "groups", &groups) ||
	    !take_int32(env, values[2], "receiveBufferBytes", &receive_buffer) ||
	    !take_function(env, values[3], "onReadable"))
		return NULL;
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	if (netlink == NULL)
		return throw_errno(env, ENOMEM, "calloc");
	netlink->env = env;
	netlink->owners = 1;
	failed = open_socket(netlink, protocol, groups, receive_buffer);
	if (failed != NULL) {
		int error = errno;

		if (netlink->fd >= 0)
			close_own(netlink->fd);
		free(netlink);
		return throw_errno(env, error, failed);
	}
	bool owned = false;
	handle = join_loop(env, netlink, values[3]) ?
			 give_handle(env, HANDLE_NETLINK, netlink, netlink_finalize, &owned) :
			 NULL;
	if (owned)
		netlink->owners++;
	if (handle == NULL)
		begin_close(netlink);
	return handle;
}

/* Takes the handle out of the first of `count` arguments; a closed socket is EBADF. */
static bool take_netlink(napi_env env, napi_callback_info info, size_t count, napi_value *values,
			 struct netlink **netlink)
{
	if (!take_arguments(env, info, count, values) ||
	    !take_handle(env, values[0], HANDLE_NETLINK, (void **)netlink))
		return false;
	if ((*netlink)->closing) {
		throw_errno(env, EBADF, "netlink socket");
		return false;
	}
	return true;
}

/* One datagram from the kernel into `room` octets: its length, 0 if none waits, or -errno.
 * Datagrams of other processes are read and forgotten; after FOREIGN_MAX of them the event loop has
 * its turn, and calls again. */
static ssize_t receive_datagram(int fd, uint8_t *data, size_t room)
{
	int foreign = 0;

	while (foreign < FOREIGN_MAX) {
		struct sockaddr_nl from;
		struct iovec vector = { .iov_base = data, .iov_len = room };
		struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from),
					  .msg_iov = &vector, .msg_iovlen = 1 };
		ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (message.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (from.nl_pid == 0 && length > 0)
			return length;
		foreign++;
	}
	return 0;
}

/* (handle, bytes) -> octets of whole messages, 0 if none waits, or -errno: ENOBUFS when the
 * kernel dropped messages, EMSGSIZE when one was larger than any known. Several datagrams
 * follow each other aligned, as messages within one do. */
static napi_value netlink_receive(napi_env env, napi_callback_info info)
{
	struct netlink *netlink;
	struct bytes buffer;
	napi_value values[2];
	size_t used = 0;

	if (!take_netlink(env, info, 2, values, &netlink) ||
	    !take_bytes(env, values[1], "buffer", &buffer))
		return NULL;
	if (buffer.length < DATAGRAM_LENGTH_MAX || buffer.length > INT32_MAX) {
		refuse_range(env, "buffer: at least 65536 octets");
		return NULL;
	}
	if (netlink->pending_error != 0) {
		int error = netlink->pending_error;

		netlink->pending_error = 0;
		return give_int32(env, -error);
	}
	while (buffer.length - used >= DATAGRAM_LENGTH_MAX) {
		ssize_t length = receive_datagram(netlink->fd, buffer.data + used,
						  buffer.length - used);

		if (length < 0 && used == 0)
			return give_int32(env, (int32_t)length);
		if (length < 0)
			netlink->pending_error = (int)-length;
		if (length <= 0)
			break;
		size_t end = used + (size_t)length;
		used = NLMSG_ALIGN(end);
		if (used > buffer.length)
			used = end;
		memset(buffer.data + end, 0, used - end);
	}
	return give_int32(env, (int32_t)used);
}

/* (handle): closing a closed socket changes nothing. */
static napi_value netlink_close(napi_env env, napi_callback_info info)
{
	struct netlink *netlink;
	napi_value values[1];

	if (!take_arguments(env, info, 1, values) ||
	    !take_handle(env, values[0], HANDLE_NETLINK, (void **)&netlink))
		return NULL;
	begin_close(netlink);
	return give_undefined(env);
}

static const struct function functions[] = {
	{ "netlinkOpen", netlink_open },
	{ "netlinkReceive", netlink_receive },
	{ "netlinkClose", netlink_close },
};

bool netlink_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
