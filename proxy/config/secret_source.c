#include "proxy/config/secret_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool secret_source_given(const struct config_secret *source)
{
    return source->env != NULL || source->file != NULL;
}

static const char *read_variable(const char *name, char to[static SECRET_ROOM], size_t *length)
{
    const char *value = getenv(name);

    if (value == NULL)
        return "is not set";
    *length = strnlen(value, SECRET_ROOM);
    memcpy(to, value, *length);
    return NULL;
}

static const char *read_file(const char *path, char to[static SECRET_ROOM], size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const char *fault = NULL;
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        fault = strerrordesc_np(errno);
    else if (!S_ISREG(status.st_mode))
        fault = "is not a regular file";
    else
        fault = secret_read(fd, to, SECRET_ROOM, length);
    if (fd >= 0)
        close(fd);
    return fault;
}

const char *secret_source_read(const struct config_secret *source, char to[static SECRET_ROOM],
                               struct span *secret)
{
    size_t length = 0;
    const char *fault =
        source->env != NULL ? read_variable(source->env, to, &length) : read_file(source->file, to, &length);

    *secret = secret_trim((struct span){to, length});
    return fault != NULL ? fault : secret_fault(*secret);
}

void secret_source_complain(const char *setting, const struct config_secret *source, const char *fault,
                            char *error, size_t error_size)
{
    (void)snprintf(error, error_size, "%s: %s %s: %s", setting, source->env != NULL ? "variable" : "file",
                   source->env != NULL ? source->env : source->file, fault);
}
