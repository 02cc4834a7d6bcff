/* The peer of `portcullis replay`: reads a file line by line and parses each line with jansson, and no more.
 * parse FILE... prints the number of lines that are JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static long parse_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    long count = 0;

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    for (ssize_t length; (length = getline(&line, &room, file)) > 0;) {
        json_t *parsed = json_loadb(line, (size_t)length, 0, NULL);
        count += parsed != NULL;
        json_decref(parsed);
    }
    free(line);
    (void)fclose(file);
    return count;
}

int main(int argc, char **argv)
{
    long count = 0;

    for (int i = 1; i < argc; i++)
        count += parse_file(argv[i]);
    (void)printf("%ld\n", count);
    return 0;
}
