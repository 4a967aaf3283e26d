/*
 * Small files of the kernel's own file systems (/sys, /proc), whose reader or writer runs code of
 * a driver, or waits for the kernel's configuration lock.
 */
#include "operation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One page, which such a file shows at most, and a byte to notice that there is more. */
#define FILE_LENGTH_MAX 4097

/* Appends to call->bytes; false, with errno set, if there is no memory. */
static bool append(struct call *call, const char *data, size_t length)
{
	uint8_t *bytes = realloc(call->bytes, call->length + length + 1);

	if (bytes == NULL)
		return false;
	call->bytes = bytes;
	memcpy(bytes + call->length, data, length);
	call->length += length;
	return true;
}

/* Appends what a file shows; false, with errno set, after an error. */
static bool append_file(struct call *call, int folder, const char *name)
{
	char text[FILE_LENGTH_MAX];
	size_t used = 0;
	ssize_t length;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	do {
		length = read(fd, text + used, sizeof(text) - used);
		if (length > 0)
			used += (size_t)length;
	} while ((length > 0 && used < sizeof(text)) || (length < 0 && errno == EINTR));
	int error = length < 0 ? errno : used == sizeof(text) ? EFBIG : 0;
	close_own(fd);
	errno = error;
	return error == 0 && append(call, text, used);
}

/* (folder, names): the texts of several files, one after the other. Names are separated by
 * blanks; each file ends its text with a newline. */
static void files_read(struct call *call)
{
	char *rest = call->texts[1], *name;
	int folder = open(call->texts[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0) {
		call_fails(call, "open");
		return;
	}
	while ((name = strsep(&rest, " ")) != NULL) {
		if (append_file(call, folder, name))
			continue;
		call_fails(call, "read");
		break;
	}
	close_own(folder);
}

/* (path, text): one write, as settings of the kernel require. */
static void file_write(struct call *call)
{
	int fd = open(call->texts[0], O_WRONLY | O_CLOEXEC);
	size_t length = strlen(call->texts[1]);
	ssize_t written;

	if (fd < 0) {
		call_fails(call, "open");
		return;
	}
	do {
		written = write(fd, call->texts[1], length);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		call_fails(call, "write");
	else if ((size_t)written < length)
		errno = EIO, call_fails(call, "write");
	close_own(fd);
}

/* (path): the names in a folder, each with a newline. */
static void folder_list(struct call *call)
{
	DIR *folder = opendir(call->texts[0]);
	struct dirent *entry;

	if (folder == NULL) {
		call_fails(call, "opendir");
		return;
	}
	while ((errno = 0, entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!append(call, entry->d_name, strlen(entry->d_name)) || !append(call, "\n", 1))
			break;
	}
	if (errno != 0)
		call_fails(call, "readdir");
	(void)closedir(folder); /* as close_own */
}

static const struct operation operations[] = {
	{ "filesRead", { { "folder", TAKE_STRING }, { "names", TAKE_STRING } },
	  GIVE_STRING, LANE_READ, false, files_read },
	{ "fileWrite", { { "path", TAKE_STRING }, { "text", TAKE_STRING } },
	  GIVE_NOTHING, LANE_CHANGE, true, file_write },
	{ "folderList", { { "path", TAKE_STRING } }, GIVE_STRING, LANE_READ, false, folder_list },
};

bool file_register(napi_env env, napi_value exports)
{
	return REGISTER_OPERATIONS(env, exports, operations);
}
