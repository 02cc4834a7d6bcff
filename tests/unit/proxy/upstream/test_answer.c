/* The grammar of answers: a table of answers and what they mean, each read whole, byte by byte, and in random
 * pieces. */
#include "policies/text.h"
#include "proxy/upstream/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEADER_BYTES  2048
#define RANDOM_SPLITS 40

enum flags {
    HEAD = 1, /* answers a HEAD */
    EOF_ = 2, /* the connection is closed behind it */
    KEEP = 4, /* expected: the connection may be used again */
    OPEN = 8, /* expected: there is more to come */
};

struct row {
    const char *name;
    struct span bytes;
    unsigned flags;
    const char *fault; /* NULL: good */
    int status;
    int64_t length;
    const char *body;
    size_t surplus;
};

#define BYTES(text)                                                                                          \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }
/* A good answer, a refused one, one whose end is missing. */
#define GOOD(name, flags, status, length, body, surplus, text)                                               \
    {                                                                                                        \
        name, BYTES(text), flags, NULL, status, length, body, surplus                                        \
    }
#define BAD(fault, flags, name, text)                                                                        \
    {                                                                                                        \
        name, BYTES(text), flags, fault, 0, 0, NULL, 0                                                       \
    }
#define MORE(name, flags, text)                                                                              \
    {                                                                                                        \
        name, BYTES(text), (flags) | OPEN, NULL, 0, 0, NULL, 0                                               \
    }

#define OK    "HTTP/1.1 200 OK\r\n"
#define CHUNK OK "Transfer-Encoding: chunked\r\n\r\n"
#define CLOSE "Connection: close\r\n"

static const struct row rows[] = {
    /* bodies of known length */
    GOOD("length", KEEP, 200, 5, "hello", 0, OK "Content-Length: 5\r\n\r\nhello"),
    GOOD("length 0", KEEP, 200, 0, "", 0, OK "Content-Length: 0\r\n\r\n"),
    GOOD("length 000", KEEP, 200, 0, "", 0, OK "Content-Length: 000\r\n\r\n"),
    GOOD("length with zeros before", KEEP, 200, 5, "hello", 0, OK "Content-Length: 0005\r\n\r\nhello"),
    GOOD("length, blanks around", KEEP, 200, 2, "hi", 0, OK "Content-Length: \t 2 \t\r\n\r\nhi"),
    GOOD("length, no blank", KEEP, 200, 2, "hi", 0, OK "content-LENGTH:2\r\n\r\nhi"),
    GOOD("length with close", 0, 200, 2, "hi", 0, OK CLOSE "Content-Length: 2\r\n\r\nhi"),
    GOOD("length with close in a list", 0, 200, 2, "hi", 0,
         OK "Connection: x-a , Close,\r\nContent-Length: "
            "2\r\n\r\nhi"),
    GOOD("close in a second field", 0, 200, 2, "hi", 0,
         OK "Connection: "
            "keep-alive\r\nConnection: "
            "close\r\nContent-Length: "
            "2\r\n\r\nhi"),
    GOOD("keep-alive said", KEEP, 200, 2, "hi", 0,
         OK "Connection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"),
    GOOD("empty Connection", KEEP, 200, 2, "hi", 0, OK "Connection: , ,\r\nContent-Length: 2\r\n\r\nhi"),
    GOOD("length, surplus", KEEP, 200, 2, "hi", 3,
         OK "Content-Length: "
            "2\r\n\r\nhi\r\n!"),
    GOOD("length, a second answer behind", KEEP, 200, 2, "hi", 17, OK "Content-Length: 2\r\n\r\nhi" OK),
    GOOD("length 0, surplus", KEEP, 200, 0, "", 1, OK "Content-Length: 0\r\n\r\nx"),
    GOOD("body that looks like a header", KEEP, 200, 8, "\r\n\r\nA: b", 0,
         OK "Content-Length: 8\r\n\r\n\r\n\r\nA: b"),
    GOOD("1.0 with length", 0, 200, 2, "hi", 0, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    GOOD("1.0 with "
         "length and "
         "keep-alive",
         0, 200, 2, "hi", 0,
         "HTTP/1.0 200 "
         "OK\r\nConnect"
         "ion: "
         "keep-"
         "alive\r\nCont"
         "ent-Length: "
         "2\r\n\r\nhi"),
    GOOD("404", KEEP, 404, 2, "no", 0,
         "HTTP/1.1 404 Not Found\r\nContent-Length: "
         "2\r\n\r\nno"),
    GOOD("59"
         "9",
         KEEP, 599, 0, "", 0,
         "HT"
         "TP"
         "/1"
         ".1"
         " 5"
         "99"
         " x"
         "\r"
         "\n"
         "Co"
         "nt"
         "en"
         "t-"
         "Le"
         "ng"
         "th"
         ": "
         "0"
         "\r"
         "\n"
         "\r"
         "\n"),
    GOOD("205 as any other", KEEP, 205, 0, "", 0, "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n"),
    MORE("length, cut short", 0, OK "Content-Length: 5\r\n\r\nhell"),
    BAD("truncated", EOF_,
        "length, then "
        "closed",
        OK "Content-Length: "
           "5\r\n\r\nhell"),
    BAD("truncated", EOF_, "length, closed at once", OK "Content-Length: 5\r\n\r\n"),
    BAD("two-lengths", 0, "two lengths",
        OK "Content-Length: "
           "5\r\nContent-"
           "Length: "
           "6\r\n\r\nhello"),
    BAD("two-lengths", 0, "two equal lengths",
        OK "Content-Length: "
           "5\r\nContent-Length: "
           "5\r\n\r\nhello"),
    BAD("two-lengths", 0,
        "two equal lengths, "
        "other case",
        OK "content-length: "
           "5\r\nCONTENT-LENGTH: "
           "5\r\n\r\nhello"),
    BAD("length", 0, "list of lengths",
        OK "Content-Length: 5, "
           "5\r\n\r\nhello"),
    BAD("length", 0, "length +5",
        OK "Content-Length: "
           "+5\r\n\r\nhello"),
    BAD("length", 0, "length -5",
        OK "Content-Length: "
           "-5\r\n\r\nhello"),
    BAD("length", 0, "length -0", OK "Content-Length: -0\r\n\r\n"),
    BAD("length", 0, "length 5.0",
        OK "Content-Length: "
           "5.0\r\n\r\nhello"),
    BAD("length", 0, "length 0x5",
        OK "Content-Length: "
           "0x5\r\n\r\nhello"),
    BAD("l"
        "e"
        "n"
        "g"
        "t"
        "h",
        0,
        "l"
        "e"
        "n"
        "g"
        "t"
        "h"
        " "
        "5"
        " "
        "5",
        OK "C"
           "o"
           "n"
           "t"
           "e"
           "n"
           "t"
           "-"
           "L"
           "e"
           "n"
           "g"
           "t"
           "h"
           ":"
           " "
           "5"
           " "
           "5"
           "\r\n\r\nhello"),
    BAD("length", 0, "length empty",
        OK "Content-Length: "
           "\r\n\r\nhello"),
    BAD("length", 0, "length of 19 digits",
        OK "Content-Length: "
           "10000000000000000"
           "00\r\n\r\nhello"),
    BAD("length", 0,
        "length beyond "
        "64 bits",
        OK "Content-Length: "
           "1844674407370955"
           "1621\r\n\r\nhell"
           "o"),
    BAD("field-"
        "value",
        0,
        "length "
        "with a "
        "NUL",
        OK "Content"
           "-Length"
           ": "
           "5\0\r\n"
           "\r\nhel"
           "lo"),
    BAD("field-value", 0,
        "length with "
        "a vertical "
        "tab",
        OK "Content-"
           "Length: "
           "\v5\r\n\r"
           "\nhello"),
    BAD("length", 0,
        "length "
        "in "
        "Arabic "
        "digits",
        OK "Content-"
           "Length: "
           "\xd9\xa5"
           "\r\n\r\n"
           "hello"),
    /* chunked */
    GOOD("chunked", KEEP, 200, -1, "hello world", 0, CHUNK "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    GOOD("chunked, no body", KEEP, 200, -1, "", 0, CHUNK "0\r\n\r\n"),
    GOOD("chunked, zeros at the end", KEEP, 200, -1, "a", 0, CHUNK "1\r\na\r\n0000\r\n\r\n"),
    GOOD("chunked, upper and lower hex", KEEP, 200, -1, "0123456789abcdefghijklmnop", 0,
         CHUNK "A\r\n0123456789\r\n0f\r\nabcdefghijklmno\r\n1\r\np\r\n0\r"
               "\n\r\n"),
    GOOD("chunked, other case", KEEP, 200, -1, "a", 0,
         OK "transfer-ENCODING: "
            "Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    GOOD("chunked, 15 digits", KEEP, 200, -1, "a", 0, CHUNK "000000000000001\r\na\r\n0\r\n\r\n"),
    GOOD("chunked with close", 0, 200, -1, "a", 0,
         OK CLOSE "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    GOOD("chunked, surplus", KEEP, 200, -1, "a", 2, CHUNK "1\r\na\r\n0\r\n\r\nxy"),
    GOOD("chunk extension", KEEP, 200, -1, "a", 0, CHUNK "1;x\r\na\r\n0;y=\"z\"\r\n\r\n"),
    GOOD("empty chunk extension", KEEP, 200, -1, "a", 0, CHUNK "1;\r\na\r\n0\r\n\r\n"),
    GOOD("chunk that looks like an end", KEEP, 200, -1, "0\r\n\r\n", 0, CHUNK "5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
    GOOD("trailers dropped", KEEP, 200, -1, "a", 0,
         CHUNK "1\r\na\r\n0\r\nX-Sum: 1\r\nServer-Timing: x\r\n\r\n"),
    GOOD("trailers, surplus", KEEP, 200, -1, "a", 1, CHUNK "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n!"),
    MORE("chunked, size not ended", 0, CHUNK "5"), MORE("chunked, in a chunk", 0, CHUNK "5\r\nhel"),
    MORE("chunked, behind a chunk", 0, CHUNK "5\r\nhello"),
    MORE("chunked, last chunk but no end", 0, CHUNK "5\r\nhello\r\n0\r\n"),
    MORE("chunked, in a trailer", 0, CHUNK "0\r\nX-Su"),
    BAD("truncated", EOF_, "chunked, closed before the last chunk", CHUNK "5\r\nhello\r\n"),
    BAD("truncated", EOF_, "chunked, closed behind the last chunk", CHUNK "5\r\nhello\r\n0\r\n"),
    BAD("truncated", EOF_, "chunked, closed in a chunk", CHUNK "5\r\nhel"),
    BAD("chunk-size", 0, "no size", CHUNK "\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0, "extension without size", CHUNK ";x\r\n"),
    BAD("chunk-size", 0, "size +5", CHUNK "+5\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0, "size -5", CHUNK "-5\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0, "size 0x5", CHUNK "0x5\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0,
        "space before the "
        "size",
        CHUNK " 5\r\nhello\r\n0\r\n"
              "\r\n"),
    BAD("chunk-"
        "size",
        0,
        "space "
        "behind "
        "the size",
        CHUNK "5 "
              "\r\nhello"
              "\r\n0\r\n"
              "\r\n"),
    BAD("chunk-size", 0, "junk behind the size", CHUNK "5 junk\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0, "size not hex", CHUNK "g\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0, "16 digits",
        CHUNK "0000000000000001\r"
              "\na\r\n0\r\n\r\n"),
    BAD("chunk-size", 0, "size of all ones", CHUNK "ffffffffffffffff\r\na"),
    BAD("chunk-size", 0, "size ended by LF", CHUNK "5\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0,
        "size ended by CR "
        "and something",
        CHUNK "5\rxhello\r\n0\r"
              "\n\r\n"),
    BAD("chunk-size", 0, "NUL in the size", CHUNK "5\0\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-extension", 0, "NUL in an extension", CHUNK "5;a\0\r\nhello\r\n0\r\n\r\n"),
    BAD("chunk-extension", 0, "LF in an extension", CHUNK "5;a\nhello\r\n0\r\n\r\n"),
    BAD("chunk-size", 0,
        "CR in an "
        "extension",
        CHUNK "5;"
              "a\rb\r\nhello"
              "\r\n0\r\n\r"
              "\n"),
    BAD("chunk-end", 0, "no line end behind a chunk", CHUNK "5\r\nhello0\r\n\r\n"),
    BAD("chunk-end", 0, "LF behind a chunk", CHUNK "5\r\nhello\n0\r\n\r\n"),
    BAD("c"
        "h"
        "u"
        "n"
        "k"
        "-"
        "e"
        "n"
        "d",
        0,
        "C"
        "R"
        " "
        "a"
        "n"
        "d"
        " "
        "s"
        "o"
        "m"
        "e"
        "t"
        "h"
        "i"
        "n"
        "g"
        " "
        "b"
        "e"
        "h"
        "i"
        "n"
        "d"
        " "
        "a"
        " "
        "c"
        "h"
        "u"
        "n"
        "k",
        CHUNK "5"
              "\r\nhello\rx0\r\n\r\n"),
    BAD("c"
        "h"
        "u"
        "n"
        "k"
        "-"
        "e"
        "n"
        "d",
        0,
        "c"
        "h"
        "u"
        "n"
        "k"
        " "
        "l"
        "o"
        "n"
        "g"
        "e"
        "r"
        " "
        "t"
        "h"
        "a"
        "n"
        " "
        "s"
        "a"
        "i"
        "d",
        CHUNK "4"
              "\r\nhello\r\n0\r\n\r"
              "\n"),
    BAD("forbidden-trailer", 0,
        "Content-Length in "
        "trailers",
        CHUNK "0\r\nContent-Length: "
              "3\r\n\r\n"),
    BAD("forbidd"
        "en-"
        "traile"
        "r",
        0,
        "Transfe"
        "r-"
        "Encodin"
        "g "
        "in "
        "trailer"
        "s",
        CHUNK "0\r\ntr"
              "ansf"
              "er-"
              "encodin"
              "g: "
              "chunked"
              "\r\n"
              "\r\n"),
    BAD("forbidden-trailer", 0,
        "Set-Cookie in "
        "trailers",
        CHUNK "0\r\nX: "
              "y\r\nSet-Cookie: "
              "a=b\r\n\r\n"),
    BAD("f"
        "o"
        "r"
        "b"
        "i"
        "d"
        "d"
        "e"
        "n"
        "-"
        "t"
        "r"
        "a"
        "i"
        "l"
        "e"
        "r",
        0,
        "C"
        "o"
        "n"
        "t"
        "e"
        "n"
        "t"
        "-"
        "T"
        "y"
        "p"
        "e"
        " "
        "i"
        "n"
        " "
        "t"
        "r"
        "a"
        "i"
        "l"
        "e"
        "r"
        "s",
        CHUNK "0"
              "\r"
              "\n"
              "C"
              "o"
              "n"
              "t"
              "e"
              "n"
              "t"
              "-"
              "T"
              "y"
              "p"
              "e"
              ":"
              " "
              "t"
              "e"
              "x"
              "t"
              "/"
              "h"
              "t"
              "m"
              "l"
              "\r"
              "\n"
              "\r"
              "\n"),
    BAD("bare-lf", 0,
        "trailer ended "
        "by LF",
        CHUNK "0\r\nX: y\n\r\n"),
    BAD("bare-lf", 0,
        "LF instead "
        "of "
        "trailers",
        CHUNK "0\r\n\n"),
    BAD("n"
        "o"
        "-"
        "c"
        "o"
        "l"
        "o"
        "n",
        0,
        "t"
        "r"
        "a"
        "i"
        "l"
        "e"
        "r"
        " "
        "w"
        "i"
        "t"
        "h"
        "o"
        "u"
        "t"
        " "
        "c"
        "o"
        "l"
        "o"
        "n",
        CHUNK "0"
              "\r\nHTTP"
              "/1.1 "
              "200 "
              "OK\r\n\r"
              "\n"),
    BAD("fold"
        "ed-"
        "fiel"
        "d",
        0,
        "fold"
        "ed "
        "trai"
        "ler",
        CHUNK "0\r"
              "\nX:"
              " "
              "y\r"
              "\n "
              "z\r"
              "\n\r"
              "\n"),
    BAD("field-"
        "value",
        0,
        "NUL in "
        "a "
        "trailer",
        CHUNK "0\r\nX: "
              "\0\r\n\r"
              "\n"),
    /* which framing */
    BAD("length-beside-coding", 0, "length before coding",
        OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("length-beside-coding", 0, "length behind coding",
        OK "Transfer-Encoding: "
           "chunked\r\nContent-Length: "
           "0\r\n\r\n0\r\n\r\n"),
    BAD("length-beside-coding", HEAD, "both, to HEAD",
        OK "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
    BAD("coding-on-1.0", 0, "chunked on 1.0",
        "HTTP/1.0 200 "
        "OK\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "identity", OK "Transfer-Encoding: identity\r\n\r\n"),
    BAD("transfer-coding", 0, "gzip", OK "Transfer-Encoding: gzip\r\n\r\n"),
    BAD("transfer-coding", 0, "gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "chunked, identity",
        OK "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "chunked, chunked", OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "chunked twice",
        OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "xchunked", OK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "chunked with a parameter",
        OK "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "empty coding", OK "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    BAD("transfer-coding", 0, "quoted chunked", OK "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    BAD("field-value", 0, "chunked and a vertical tab", OK "Transfer-Encoding: chunked\v\r\n\r\n0\r\n\r\n"),
    BAD("space-before-colon", 0, "Transfer-Encoding and a space",
        OK "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    BAD("connection-field", 0, "Connection that is no list of tokens",
        OK "Connection: clo se\r\nContent-Length: 0\r\n\r\n"),
    BAD("no-framing", 0, "1.1 without length that lives on", OK "A: b\r\n\r\nhello"),
    BAD("no-framing", EOF_, "1.1 without length and keep-alive", OK "Connection: keep-alive\r\n\r\nhello"),
    GOOD("1.1 until close", EOF_, 200, -1, "hello", 0, OK CLOSE "\r\nhello"),
    GOOD("1.1 until close, "
         "empty",
         EOF_, 200, -1, "", 0, OK CLOSE "\r\n"),
    GOOD("1.0 until close", EOF_, 200, -1, "hello", 0, "HTTP/1.0 200 OK\r\n\r\nhello"),
    GOOD("1.0 until close, even with "
         "keep-alive",
         EOF_, 200, -1, "hi", 0,
         "HTTP/1.0 200 OK\r\nConnection: "
         "keep-alive\r\n\r\nhi"),
    MORE("1.0 until close, not closed", 0,
         "HTTP/1.0 200 "
         "OK\r\n\r\nhello"),
    /* no body */
    GOOD("HEAD with length", HEAD | KEEP, 200, 5, "", 0, OK "Content-Length: 5\r\n\r\n"),
    GOOD("HEAD with length and a body: surplus", HEAD | KEEP, 200, 5, "", 5,
         OK "Content-Length: 5\r\n\r\nhello"),
    GOOD("HEAD chunked", HEAD | KEEP, 200, -1, "", 0, OK "Transfer-Encoding: chunked\r\n\r\n"),
    GOOD("HEAD without length", HEAD | KEEP, 200, -1, "", 0, OK "\r\n"),
    GOOD("HEAD with close", HEAD, 200, -1, "", 0, OK CLOSE "\r\n"),
    GOOD("204", KEEP, 204, 0, "", 0, "HTTP/1.1 204 No Content\r\n\r\n"),
    GOOD("204 with length 0", KEEP, 204, 0, "", 0, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
    GOOD("204, surplus", KEEP, 204, 0, "", 2, "HTTP/1.1 204 No Content\r\n\r\nhi"),
    GOOD("205 without content", KEEP, 205, 0, "", 0,
         "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    BAD("body-on-205", 0, "205 with length", "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nhi"),
    BAD("body-on-205", 0, "205 chunked", "HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("body-on-204", 0, "204 with length", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi"),
    BAD("body-on-204", 0, "204 chunked",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("body-on-204", HEAD, "204 with length, to HEAD",
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"),
    GOOD("304", KEEP, 304, -1, "", 0, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
    GOOD("304 with length", KEEP, 304, 9, "", 0, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
    GOOD("304 with length and a body: surplus", KEEP, 304, 2, "", 2,
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nhi"),
    /* interim answers: none is asked for */
    BAD("interim-answer", 0, "100", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 0\r\n\r\n"),
    BAD("interim-answer", 0, "101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
    BAD("interim-answer", 0, "102", "HTTP/1.1 102 Processing\r\n\r\n"),
    BAD("interim-answer", 0, "103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    BAD("interim-answer", 0, "199", "HTTP/1.1 199 x\r\n\r\n"),
    /* the status line */
    GOOD("empty reason", KEEP, 200, 0, "", 0, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
    GOOD("reason with words, a tab and UTF-8", KEEP, 200, 0, "", 0,
         "HTTP/1.1 200 a  b\tc \xc3\xa9\r\nContent-Length: 0\r\n\r\n"),
    BAD("status-line", 0, "no space behind the code", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    BAD("status-line", 0, "letters behind the code", "HTTP/1.1 200abc\r\n\r\n"),
    BAD("status-line", 0, "two digits", "HTTP/1.1 20 OK, it is\r\n\r\n"),
    BAD("status-line", 0, "four digits", "HTTP/1.1 2000 OK\r\n\r\n"),
    BAD("status-line", 0, "negative code", "HTTP/1.1 -20 OK\r\n\r\n"),
    BAD("status-line", 0, "signed code", "HTTP/1.1 +20 OK\r\n\r\n"),
    BAD("status-code", 0, "000", "HTTP/1.1 000 x\r\n\r\n"),
    BAD("status-code", 0, "099", "HTTP/1.1 099 x\r\n\r\n"),
    BAD("status-code", 0, "600", "HTTP/1.1 600 x\r\n\r\n"),
    BAD("status-code", 0, "999", "HTTP/1.1 999 x\r\n\r\n"),
    BAD("status-line", 0, "two spaces", "HTTP/1.1  200 OK\r\n\r\n"),
    BAD("status-line", 0, "tab", "HTTP/1.1\t200 OK\r\n\r\n"),
    BAD("status-line", 0, "HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n"),
    BAD("status-line", 0, "HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"),
    BAD("status-line", 0, "HTTP/0.9", "HTTP/0.9 200 OK\r\n\r\n"),
    BAD("status-line", 0, "HTTP/1.10", "HTTP/1.10 200 OK\r\n\r\n"),
    BAD("status-line", 0, "HTTP/01.1", "HTTP/01.1 200 OK\r\n\r\n"),
    BAD("status-line", 0, "lower case", "http/1.1 200 OK\r\n\r\n"),
    BAD("status-line", 0, "another protocol", "ICY 200 OK in all\r\n\r\n"),
    BAD("status-line", 0, "empty line first", "\r\n" OK "Content-Length: 0\r\n\r\n"),
    BAD("status-line", 0, "space first", " HTTP/1.1 200 OK\r\n\r\n"),
    BAD("status-line", 0, "a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    BAD("status-line", 0, "NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"),
    BAD("status-line", 0, "escape in the reason", "HTTP/1.1 200 \x1b[31m\r\n\r\n"),
    BAD("status-line", 0, "CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"),
    BAD("status-line", 0, "DEL in the reason", "HTTP/1.1 200 O\x7fK\r\n\r\n"),
    BAD("bare-lf", 0, "LF behind the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
    BAD("bare-lf", 0, "LF alone", "\n"), MORE("nothing", 0, ""), MORE("half a status line", 0, "HTTP/1.1 20"),
    BAD("truncated", EOF_, "closed at once", ""),
    BAD("truncated", EOF_, "closed in the status line", "HTTP/1.1 200 OK\r"),
    BAD("truncated", EOF_, "closed in the fields", OK "Content-Length: 0\r\n"),
    /* fields */
    GOOD("names of all token octets", KEEP, 200, 0, "", 0,
         OK "a!#$%&'*+-.^_`|~9Z: x\r\nContent-Length: 0\r\n\r\n"),
    GOOD("empty value", KEEP, 200, 0, "", 0,
         OK "A:\r\nB: \t \r\nContent-Length: "
            "0\r\n\r\n"),
    GOOD("value with colons, tabs and UTF-8", KEEP, 200, 0, "", 0,
         OK "A: b:\tc: \xe2\x82\xac\r\nContent-Length: 0\r\n\r\n"),
    GOOD("one name twice", KEEP, 200, 0, "", 0,
         OK "Set-Cookie: a=b\r\nSet-Cookie: "
            "c=d\r\nContent-Length: 0\r\n\r\n"),
    BAD("bare-lf", 0, "LF behind a field", OK "A: b\nContent-Length: 0\r\n\r\n"),
    BAD("bare-lf", 0, "LF instead of the empty line", OK "Content-Length: 0\r\n\n"),
    BAD("field-value", 0, "CR CR LF", OK "A: b\r\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-value", 0, "CR in a value", OK "A: b\rc\r\nContent-Length: 0\r\n\r\n"),
    BAD("no-colon", 0, "CR CR LF as the empty line", OK "Content-Length: 0\r\n\r\r\n"),
    BAD("folded-field", 0, "fold by space", OK "A: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
    BAD("folded-field", 0, "fold by tab", OK "A: b\r\n\tc\r\nContent-Length: 0\r\n\r\n"),
    BAD("folded-field", 0, "space before the first field", OK " A: b\r\nContent-Length: 0\r\n\r\n"),
    BAD("folded-field", 0, "line of blanks", OK "  \r\nContent-Length: 0\r\n\r\n"),
    BAD("space-before-colon", 0, "space before the colon", OK "Content-Length : 0\r\n\r\n"),
    BAD("space-before-colon", 0, "tab before the colon", OK "Content-Length\t: 0\r\n\r\n"),
    BAD("no-colon", 0, "no colon", OK "Content-Length\r\n\r\n"),
    BAD("field-name", 0, "no name", OK ": b\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-name", 0, "name with a space", OK "A b: c\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-name", 0, "name with a quote", OK "A\": c\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-name", 0, "name with a slash", OK "A/b: c\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-name", 0, "name with UTF-8", OK "\xc3\xa9: c\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-name", 0, "name with a NUL", OK "A\0: c\r\nContent-Length: 0\r\n\r\n"),
    BAD("no-colon", 0, "line that begins with a NUL", OK "\0\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-value", 0, "NUL in a value", OK "A: b\0c\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-value", 0, "bell in a value", OK "A: \a\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-value", 0, "DEL in a value", OK "A: \x7f\r\nContent-Length: 0\r\n\r\n"),
    BAD("field-value", 0, "vertical tab around a value",
        OK "A: \vb\r\nContent-Length: "
           "0\r\n\r\n")};

struct outcome {
    enum answer_state state;
    const char *fault;
    int status;
    int64_t length;
    bool keeps;
    size_t surplus, field_count;
    struct text fields, body;
};

static void note_fields(struct answer *answer, struct outcome *outcome)
{
    const struct field *fields = answer_fields(answer, &outcome->field_count);
    for (size_t i = 0; i < outcome->field_count; i++) {
        text_add(&outcome->fields, fields[i].name.data, fields[i].name.length);
        text_add_string(&outcome->fields, "=");
        text_add(&outcome->fields, fields[i].value.data, fields[i].value.length);
        text_add_string(&outcome->fields, "\n");
    }
}

/* One piece of input, in a memory block of its own, so that a sanitizer sees any look beyond it. Returns what
 * was left over. */
static size_t feed(struct answer *answer, struct span bytes, struct outcome *outcome)
{
    char *copy = malloc(bytes.length + 1);
    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.length);
    struct span rest = {copy, bytes.length};
    while (answer_state(answer) < ANSWER_DONE) {
        enum answer_state before = answer_state(answer);
        struct span piece;
        size_t taken = answer_read(answer, rest, &piece);
        assert_true(taken <= rest.length);
        assert_true(piece.length == 0 ||
                    (piece.data >= rest.data && piece.data + piece.length <= rest.data + taken));
        assert_true(piece.length == 0 || before == ANSWER_BODY);
        text_add(&outcome->body, piece.data, piece.length);
        rest.data += taken;
        rest.length -= taken;
        if (rest.length == 0)
            break;
        assert_true(taken > 0 || answer_state(answer) == ANSWER_INVALID);
    }
    free(copy);
    return rest.length;
}

/* Reads the row's bytes in pieces of 1 to `most`; 0: whole. */
static struct outcome read_in_pieces(struct answer *answer, const struct row *row, unsigned most)
{
    struct outcome outcome = {0};
    size_t at = 0, left = 0;
    answer_begin(answer, row->flags & HEAD);
    assert_false(answer_began(answer));
    do {
        size_t length = row->bytes.length - at;
        if (most > 0 && length > 0) {
            size_t piece = 1 + (size_t)random() % most;
            length = piece < length ? piece : length;
        }
        left = feed(answer, (struct span){row->bytes.data + at, length}, &outcome);
        at += length;
    } while (at < row->bytes.length && answer_state(answer) < ANSWER_DONE);

    assert_int_equal(answer_began(answer), row->bytes.length > 0);
    outcome.surplus = left + row->bytes.length - at;
    outcome.state = row->flags & EOF_ ? answer_finish(answer) : answer_state(answer);
    outcome.fault = answer_fault(answer);
    outcome.status = answer_status(answer);
    outcome.length = answer_length(answer);
    outcome.keeps = answer_keeps_connection(answer);
    note_fields(answer, &outcome);
    return outcome;
}

static void expect(const struct row *row, const struct outcome *outcome)
{
    enum answer_state state = row->fault ? ANSWER_INVALID : ANSWER_DONE;
    if (row->flags & OPEN) {
        assert_true(outcome->state < ANSWER_DONE);
        return;
    }
    if (outcome->state != state)
        print_error("%s: state %d, fault %s\n", row->name, (int)outcome->state,
                    outcome->fault ? outcome->fault : "-");
    assert_int_equal(outcome->state, state);
    if (row->fault != NULL) {
        if (strcmp(outcome->fault, row->fault) != 0)
            print_error("%s\n", row->name);
        assert_string_equal(outcome->fault, row->fault);
        assert_false(outcome->keeps);
        return;
    }
    if (outcome->surplus != row->surplus || outcome->keeps != !!(row->flags & KEEP))
        print_error("%s\n", row->name);
    assert_null(outcome->fault);
    assert_int_equal(outcome->status, row->status);
    assert_int_equal(outcome->length, row->length);
    assert_int_equal(outcome->surplus, row->surplus);
    assert_int_equal(outcome->keeps, !!(row->flags & KEEP));
    assert_int_equal(outcome->body.length, strlen(row->body));
    assert_memory_equal(outcome->body.data ? outcome->body.data : "", row->body, strlen(row->body));
}

static void expect_same(const struct row *row, const struct outcome *a, const struct outcome *b)
{
    if (a->state != b->state || a->surplus != b->surplus || a->body.length != b->body.length)
        print_error("%s: differs by split\n", row->name);
    assert_int_equal(a->state, b->state);
    assert_ptr_equal(a->fault, b->fault);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->length, b->length);
    assert_int_equal(a->field_count, b->field_count);
    assert_true(span_equal((struct span){a->fields.data, a->fields.length},
                           (struct span){b->fields.data, b->fields.length}));
    assert_true(
        span_equal((struct span){a->body.data, a->body.length}, (struct span){b->body.data, b->body.length}));
    if (a->state == ANSWER_DONE)
        assert_int_equal(a->surplus, b->surplus);
}

static void outcome_free(struct outcome *outcome)
{
    text_free(&outcome->fields);
    text_free(&outcome->body);
}

static void test_table(void **state)
{
    (void)state;
    struct answer *answer = answer_new(HEADER_BYTES);
    assert_non_null(answer);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outcome whole = read_in_pieces(answer, &rows[i], 0);
        expect(&rows[i], &whole);
        for (unsigned split = 0; split < RANDOM_SPLITS; split++) {
            struct outcome pieces = read_in_pieces(answer, &rows[i], split == 0 ? 1 : 2 + split % 9);
            expect_same(&rows[i], &whole, &pieces);
            outcome_free(&pieces);
        }
        outcome_free(&whole);
    }
    answer_free(answer);
}

static void test_table_is_large(void **state)
{
    (void)state;
    assert_true(sizeof(rows) / sizeof(rows[0]) >= 120);
}

/* Reads `bytes` whole in an answer that holds `header_bytes`; the fault, or NULL. */
static const char *fault_of(struct text *bytes, size_t header_bytes, bool byte_by_byte)
{
    struct answer *answer = answer_new(header_bytes);
    const struct row row = {"", {bytes->data, bytes->length}, 0, NULL, 0, 0, NULL, 0};
    struct outcome outcome = read_in_pieces(answer, &row, byte_by_byte ? 1 : 0);
    outcome_free(&outcome);
    answer_free(answer);
    return outcome.fault;
}

static void test_bounds_of_the_header(void **state)
{
    (void)state;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        struct text text = {0};
        text_add_string(&text, OK "Content-Length: 0\r\nA: ");
        while (text.length < 1000 - 4)
            text_add_string(&text, "x");
        text_add_string(&text, "\r\n\r\n");
        assert_int_equal(text.length, 1000);
        assert_null(fault_of(&text, 1000, bytewise));
        assert_string_equal(fault_of(&text, 999, bytewise), "header-too-large");

        text_clear(&text); /* a line that never ends */
        text_add_string(&text, "HTTP/1.1 200 ");
        while (text.length < 5000)
            text_add_string(&text, "x");
        assert_string_equal(fault_of(&text, 1000, bytewise), "header-too-large");

        text_clear(&text); /* trailers count too */
        text_add_string(&text, CHUNK "0\r\n");
        while (text.length < 5000)
            text_add_string(&text, "X-T: y\r\n");
        assert_string_equal(fault_of(&text, 400, bytewise), "header-too-large");
        assert_string_equal(fault_of(&text, 8000, bytewise), "too-many-fields");
        text_free(&text);
    }
}

static void test_bound_of_the_fields(void **state)
{
    (void)state;
    for (unsigned count = ANSWER_FIELDS - 1; count <= ANSWER_FIELDS; count++) {
        struct text text = {0};
        text_add_string(&text, OK "Content-Length: 0\r\n");
        for (unsigned i = 0; i < count; i++)
            text_add_string(&text, "A: b\r\n");
        text_add_string(&text, "\r\n");
        const char *fault = fault_of(&text, 4096, false);
        if (count < ANSWER_FIELDS)
            assert_null(fault);
        else
            assert_string_equal(fault, "too-many-fields");
        text_free(&text);
    }
}

static void test_bound_of_chunk_extensions(void **state)
{
    (void)state;
    struct text text = {0};
    text_add_string(&text, CHUNK "1;");
    for (unsigned i = 0; i < 256; i++)
        text_add_string(&text, "e");
    size_t fits = text.length;
    text_add_string(&text, "\r\na\r\n0\r\n\r\n");
    assert_null(fault_of(&text, 4096, false));
    text.length = fits;
    text_add_string(&text, "e\r\na\r\n0\r\n\r\n");
    assert_string_equal(fault_of(&text, 4096, false), "chunk-extension");
    text_free(&text);
}

static void test_fields_as_received(void **state)
{
    (void)state;
    const struct row row = {
        "", BYTES(OK "X-One:  a b \t\r\nx-two:\r\nContent-Length: 2\r\n\r\nhi"), 0, NULL, 0, 0, NULL, 0};
    struct answer *answer = answer_new(HEADER_BYTES);
    struct outcome outcome = read_in_pieces(answer, &row, 3);
    assert_int_equal(outcome.field_count, 3);
    assert_string_equal(outcome.fields.data, "X-One=a b\nx-two=\nContent-Length=2\n");
    outcome_free(&outcome);
    answer_free(answer);
}

/* Fields stay readable while the trailers behind them are read. */
static void test_fields_outlive_trailers(void **state)
{
    (void)state;
    const struct row row = {
        "",   BYTES(OK "X-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Two: 2\r\n\r\n"),
        0,    NULL,
        0,    0,
        NULL, 0};
    struct answer *answer = answer_new(HEADER_BYTES);
    struct outcome outcome = read_in_pieces(answer, &row, 0);
    assert_string_equal(outcome.fields.data, "X-One=1\nTransfer-Encoding=chunked\n");
    outcome_free(&outcome);
    answer_free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_is_large),
        cmocka_unit_test(test_bounds_of_the_header),
        cmocka_unit_test(test_bound_of_the_fields),
        cmocka_unit_test(test_bound_of_chunk_extensions),
        cmocka_unit_test(test_fields_as_received),
        cmocka_unit_test(test_fields_outlive_trailers),
    };
    srandom(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
