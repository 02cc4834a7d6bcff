/* The results of cases as JUnit's XML, which build servers show. */
#include "proxy/console/cases.h"

#include "policies/ascii.h"

/* U+FFFE or U+FFFF, in UTF-8? */
static bool is_noncharacter(const char *c)
{
    return strncmp(c, "\xef\xbf\xbe", 3) == 0 || strncmp(c, "\xef\xbf\xbf", 3) == 0;
}

/* A text between quotes. What XML 1.0 cannot hold, escaped or not, becomes "?". */
static void add_escaped(struct text *out, const char *string)
{
    for (const char *c = string; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            text_add_string(out, "&amp;");
            break;
        case '<':
            text_add_string(out, "&lt;");
            break;
        case '>':
            text_add_string(out, "&gt;");
            break;
        case '"':
            text_add_string(out, "&quot;");
            break;
        default:
            text_add(out, ascii_is_control(*c) || is_noncharacter(c) ? "?" : c, 1);
            c += is_noncharacter(c) ? 2 : 0;
        }
    }
}

void case_write_junit(const struct case_result *result, struct text *out)
{
    struct text name = {0};

    case_write_name(result, &name);
    out->failed = out->failed || name.failed;
    text_add_string(out, "  <testcase classname=\"");
    add_escaped(out, result->suite->document.name);
    text_add_string(out, "\" name=\"");
    add_escaped(out, name.data ? name.data : "");
    text_free(&name);
    if (result->differences == NULL) {
        text_add_string(out, "\"/>\n");
        return;
    }
    text_add_string(out, "\">\n    <failure message=\"not as expected\">");
    for (const struct case_difference *at = result->differences; at != NULL; at = at->next) {
        text_add_format(out, "%s: expected ", at->what);
        add_escaped(out, at->expected[0] ? at->expected : "none");
        text_add_string(out, ", found ");
        add_escaped(out, at->found[0] ? at->found : "none");
        text_add_string(out, "\n");
    }
    text_add_string(out, "</failure>\n  </testcase>\n");
}

void junit_write(const struct text *cases, size_t count, size_t failed, struct text *out)
{
    text_add_format(out,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                    "<testsuite name=\"portcullis test\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n",
                    count, failed);
    text_add(out, cases->data, cases->length);
    text_add_string(out, "</testsuite>\n");
}
