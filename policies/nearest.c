/* "Did you mean …?": how far one name is from another. */
#include "policies/document.h"

#define NAME_MAX_LENGTH 48

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) that make one name of the other, letters compared
 * without case. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][NAME_MAX_LENGTH + 1];

    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replace = above[j - 1] + (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));
            row[j] = least(replace, 1 + least(above[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], 1 + above2[j - 2]);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *nearest_name(const char *name, const char *const *known)
{
    size_t length = strlen(name), best = 1 + length / 5; /* a slip in each five letters, and one more */
    const char *nearest = NULL;

    if (length > NAME_MAX_LENGTH)
        return NULL;
    if (best > 3)
        best = 3;
    for (; *known != NULL; known++) {
        size_t known_length = strlen(*known);
        if (known_length > NAME_MAX_LENGTH)
            continue;
        size_t edits = distance(name, length, *known, known_length);
        if (edits < length && (edits < best || (nearest == NULL && edits == best))) {
            nearest = *known;
            best = edits;
        }
    }
    return nearest;
}
