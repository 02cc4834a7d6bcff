/* What the macros of jansson and sys/queue.h mean, as far as cppcheck needs it, which reads no system header.
 * Never compiled. */
#define json_object_foreach(object, key, value) for (; next_member(object, &key, &value);)
#define json_array_foreach(array, index, value) for (; next_element(array, &index, &value);)
#define LIST_HEAD(name, type)                                                                                \
    struct name {                                                                                            \
        struct type *first;                                                                                  \
    }
#define STAILQ_HEAD(name, type) LIST_HEAD(name, type)
#define TAILQ_HEAD(name, type)  LIST_HEAD(name, type)
#define LIST_ENTRY(type)                                                                                     \
    struct {                                                                                                 \
        struct type *next;                                                                                   \
    }
#define STAILQ_ENTRY(type)               LIST_ENTRY(type)
#define TAILQ_ENTRY(type)                LIST_ENTRY(type)
#define TAILQ_FOREACH(each, head, field) for (each = (head)->first; each != NULL; each = (each)->field.next)
