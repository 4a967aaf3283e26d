/*
 * Requests to the kernel over sockets: netlink requests with their whole answer, and multicast
 * memberships.
 *
 * The kernel works on a netlink request in the thread that sends it, and on the later parts of a
 * dump in the thread that receives them, mostly under its configuration lock. Its answer
 * lies in the socket when the request is sent, so sending and receiving are one call here.
 */
#include "operation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The largest datagram we expect; the kernel makes dumps of at most 32 KiB. */
#define DATAGRAM_LENGTH_MAX 65536

/* Ours: an answer of more is no answer but a mistake; a million routes are a third of it. */
#define ANSWER_LENGTH_MAX (512u << 20)

/* Ours: datagrams of other processes that are read for one answer; none has a reason to send. */
#define FOREIGN_MAX 1024

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

/* The failed step's name with errno set, or NULL. */
static const char *prepare_netlink(int fd, int receive_buffer)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK };

	/* Filtered dumps, errors in words, and no echo of the request inside an error. */
	if (set_option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1) < 0)
		return "setsockopt(NETLINK_GET_STRICT_CHK)";
	if (set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1) < 0)
		return "setsockopt(NETLINK_EXT_ACK)";
	if (set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1) < 0)
		return "setsockopt(NETLINK_CAP_ACK)";
	/* Beyond rmem_max only with CAP_NET_ADMIN; without it, what the system allows. */
	if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer) < 0 &&
	    (errno != EPERM || set_option(fd, SOL_SOCKET, SO_RCVBUF, receive_buffer) < 0))
		return "setsockopt(SO_RCVBUFFORCE)";
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return "bind";
	return NULL;
}

/* (protocol, receiveBufferBytes) -> fd of a socket for requests alone. */
static void request_open(struct call *call)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, call->numbers[0]);

	if (fd < 0) {
		call_fails(call, "socket");
		return;
	}
	const char *failed = prepare_netlink(fd, call->numbers[1]);
	if (failed != NULL) {
		call_fails(call, failed);
		close_own(fd);
	}
	call->value = fd;
}

/* Room for one datagram more behind call->bytes; false, with errno set, if there is none. */
static bool make_room(struct call *call, size_t *size)
{
	if (*size - call->length >= DATAGRAM_LENGTH_MAX)
		return true;
	size_t larger = *size * 2 + DATAGRAM_LENGTH_MAX;
	uint8_t *bytes = larger > ANSWER_LENGTH_MAX ? NULL : realloc(call->bytes, larger);
	if (bytes == NULL) {
		errno = ENOMEM;
		return false;
	}
	call->bytes = bytes;
	*size = larger;
	return true;
}

/* One datagram from the kernel appended, aligned as messages are; its length, 0 if there is no
 * more, or -1 with errno set. Datagrams of other processes are read and forgotten; ENOBUFS, as for
 * an answer of which a part is lost, if they do not end. */
static ssize_t receive_datagram(struct call *call, size_t *size, int *foreign)
{
	while (*foreign < FOREIGN_MAX) {
		struct sockaddr_nl from;
		struct iovec vector;
		struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from),
					  .msg_iov = &vector, .msg_iovlen = 1 };

		if (!make_room(call, size))
			return -1;
		vector.iov_base = call->bytes + call->length;
		vector.iov_len = DATAGRAM_LENGTH_MAX;
		ssize_t length = recvmsg(call->numbers[0], &message, MSG_DONTWAIT);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? 0 : -1;
		if (message.msg_flags & MSG_TRUNC) {
			errno = EMSGSIZE;
			return -1;
		}
		if (from.nl_pid != 0 || length == 0) {
			++*foreign;
			continue;
		}
		size_t aligned = NLMSG_ALIGN((size_t)length);
		memset(call->bytes + call->length + length, 0, aligned - (size_t)length);
		call->length += aligned;
		return length;
	}
	errno = ENOBUFS;
	return -1;
}

/* (fd, messages) -> all that the kernel answers. */
static void request_exchange(struct call *call)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t *messages = call->bytes;
	size_t messages_length = call->length;
	size_t size = 0;
	ssize_t length;
	int foreign = 0;

	call->bytes = NULL;
	call->length = 0;
	/* First: a change that is made must not be reported as failed for want of memory. */
	if (!make_room(call, &size)) {
		call_fails(call, "realloc");
		free(messages);
		return;
	}
	do {
		length = sendto(call->numbers[0], messages, messages_length, 0,
				(const struct sockaddr *)&kernel, sizeof(kernel));
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		call_fails(call, "sendto(netlink)");
	free(messages);
	if (length < 0)
		return;
	do {
		length = receive_datagram(call, &size, &foreign);
	} while (length > 0);
	if (length < 0)
		call_fails(call, "recvmsg(netlink)");
}

/* An address to bind to, of either family. */
union local {
	struct sockaddr any;
	struct sockaddr_in inet;
	struct sockaddr_in6 inet6;
};

static void bind_to_group(struct call *call, int fd, const union local *local, socklen_t length)
{
	if (bind(fd, &local->any, length) < 0)
		call_fails(call, "bind");
}

static void join_inet(struct call *call, int fd, struct in_addr address, int ifindex)
{
	union local local = { .inet = { .sin_family = AF_INET, .sin_addr = address } };
	struct ip_mreqn membership = { .imr_multiaddr = address, .imr_ifindex = ifindex };

	bind_to_group(call, fd, &local, sizeof(local.inet));
	if (call->error == 0 && setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership,
					   sizeof(membership)) < 0)
		call_fails(call, "setsockopt(IP_ADD_MEMBERSHIP)");
}

static void join_inet6(struct call *call, int fd, struct in6_addr address, int ifindex)
{
	union local local = { .inet6 = { .sin6_family = AF_INET6, .sin6_addr = address } };
	struct ipv6_mreq membership = { .ipv6mr_multiaddr = address };

	local.inet6.sin6_scope_id = (uint32_t)ifindex;
	membership.ipv6mr_interface = (unsigned int)ifindex;
	bind_to_group(call, fd, &local, sizeof(local.inet6));
	if (call->error == 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &membership,
					   sizeof(membership)) < 0)
		call_fails(call, "setsockopt(IPV6_ADD_MEMBERSHIP)");
}

/* (address, ifindex) -> fd of a socket that is a member of a multicast group on one interface,
 * whether that has an address or not. Nothing is ever sent to its port. EINVAL for what is no
 * multicast address: bind would refuse it too, but for the reason that it is not ours. */
static void multicast_join(struct call *call)
{
	int ifindex = call->numbers[0];
	struct in_addr inet;
	struct in6_addr inet6;
	bool is_inet = inet_pton(AF_INET, call->texts[0], &inet) == 1 &&
		       IN_MULTICAST(ntohl(inet.s_addr));
	bool is_inet6 = inet_pton(AF_INET6, call->texts[0], &inet6) == 1 &&
			IN6_IS_ADDR_MULTICAST(&inet6);
	int fd;

	if (!is_inet && !is_inet6) {
		errno = EINVAL;
		call_fails(call, "multicast address");
		return;
	}
	fd = socket(is_inet ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		call_fails(call, "socket");
		return;
	}
	if (is_inet)
		join_inet(call, fd, inet, ifindex);
	else
		join_inet6(call, fd, inet6, ifindex);
	if (call->error != 0)
		close_own(fd);
	call->value = fd;
}

static const struct operation operations[] = {
	{ "requestOpen", { { "protocol", TAKE_INT32 }, { "receiveBufferBytes", TAKE_INT32 } },
	  GIVE_NUMBER, LANE_CHANGE, false, request_open },
	{ "requestExchange", { { "fd", TAKE_INT32 }, { "messages", TAKE_BYTES } },
	  GIVE_BYTES, LANE_CHANGE, true, request_exchange },
	{ "multicastJoin", { { "address", TAKE_STRING }, { "ifindex", TAKE_INT32 } },
	  GIVE_NUMBER, LANE_CHANGE, true, multicast_join },
};

bool request_register(napi_env env, napi_value exports)
{
	return REGISTER_OPERATIONS(env, exports, operations);
}
