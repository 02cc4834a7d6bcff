#include "proxy/wire/wire.h"

static const struct {
    const char *name;
    int status;
    const char *detail;
} faults[WIRE_FAULT_COUNT] = {
    [WIRE_FAULT_NONE] = {"none", 0, ""},
    [WIRE_FAULT_BARE_LF] = {"bare-lf", 400, "A line ends in LF alone; end lines with CRLF."},
    [WIRE_FAULT_BARE_CR] = {"bare-cr", 400, "A CR is not followed by LF; end lines with CRLF."},
    [WIRE_FAULT_BLANK_LINES] = {"blank-lines", 400,
                                "Too many empty lines stand before the request; send none."},
    [WIRE_FAULT_CONTROL] = {"control-character", 400, "The header holds a control character; leave it out."},
    [WIRE_FAULT_SPACE] =
        {"extra-space", 400,
         "The request line must have one space behind the method and one behind the target, and no other."},
    [WIRE_FAULT_METHOD] = {"malformed-method", 400, "The request does not begin with a method."},
    [WIRE_FAULT_METHOD_UNKNOWN] = {"unknown-method", 501,
                                   "The gate does not know this method; names of methods are in upper case."},
    [WIRE_FAULT_CONNECT] = {"connect", 400,
                            "The gate makes no tunnels: CONNECT and its authority-form target are refused."},
    [WIRE_FAULT_TARGET] = {"target-character", 400,
                           "The target holds a byte that RFC 3986 does not allow; percent-encode it."},
    [WIRE_FAULT_TARGET_LONG] = {"target-too-long", 414, "The target is longer than the gate accepts."},
    [WIRE_FAULT_NO_VERSION] = {"missing-version", 400,
                               "The request line does not end in an HTTP version; send HTTP/1.1."},
    [WIRE_FAULT_VERSION] = {"malformed-version", 400, "The HTTP version is malformed; send HTTP/1.1."},
    [WIRE_FAULT_VERSION_UNKNOWN] = {"unknown-version", 505, "The gate speaks HTTP/1.1 and HTTP/1.0."},
    [WIRE_FAULT_FOLD] = {"folded-line", 400,
                         "A field line begins with white space; write each field on one line."},
    [WIRE_FAULT_NAME] = {"malformed-name", 400,
                         "A field name is empty or holds a byte that names must not hold."},
    [WIRE_FAULT_SPACE_BEFORE_COLON] = {"space-before-colon", 400,
                                       "White space stands before the colon of a field; leave it out."},
    [WIRE_FAULT_NO_COLON] = {"missing-colon", 400, "A field line has no colon."},
    [WIRE_FAULT_HEADER_LARGE] = {"header-too-large", 431, "The header is larger than the gate accepts."},
    [WIRE_FAULT_FIELDS] = {"too-many-fields", 431, "The header has more fields than the gate accepts."},
    [WIRE_FAULT_LENGTH] = {"malformed-length", 400,
                           "Content-Length must be one decimal number without leading zeros."},
    [WIRE_FAULT_TWO_LENGTHS] = {"repeated-length", 400,
                                "Content-Length is given more than once; send it once."},
    [WIRE_FAULT_CODING] = {"malformed-transfer-coding", 400,
                           "Transfer-Encoding is malformed, or chunked is not its last coding."},
    [WIRE_FAULT_CODING_UNKNOWN] = {"unknown-transfer-coding", 501,
                                   "The gate knows one transfer coding: chunked."},
    [WIRE_FAULT_TWO_CODINGS] = {"repeated-transfer-coding", 400,
                                "Transfer-Encoding is given more than once; send it once."},
    [WIRE_FAULT_CODING_OLD] = {"transfer-coding-in-1.0", 400,
                               "HTTP/1.0 has no Transfer-Encoding; send HTTP/1.1 or a Content-Length."},
    [WIRE_FAULT_LENGTH_AND_CODING] = {"length-and-coding", 400,
                                      "Content-Length and Transfer-Encoding exclude each other; send one."},
    [WIRE_FAULT_NO_HOST] = {"missing-host", 400, "HTTP/1.1 requires a Host field."},
    [WIRE_FAULT_HOST] = {"malformed-host", 400,
                         "Host must be a host name or address, with a port or without."},
    [WIRE_FAULT_TWO_HOSTS] = {"repeated-host", 400, "Host is given more than once; send it once."},
    [WIRE_FAULT_CONNECTION] = {"malformed-connection", 400, "Connection must be a list of field names."},
    [WIRE_FAULT_EXPECTATION] = {"unknown-expectation", 417, "The gate meets one expectation: 100-continue."},
    [WIRE_FAULT_CONTENT] = {"unexpected-content", 400,
                            "A HEAD or TRACE request must have no content; leave it out."},
    [WIRE_FAULT_BODY_LARGE] = {"body-too-large", 413, "The content is larger than the gate accepts."},
    [WIRE_FAULT_CHUNK_SIZE] = {"malformed-chunk-size", 400,
                               "The size of a chunk must be 1 to 16 hex digits."},
    [WIRE_FAULT_CHUNK_EXTENSION] = {"malformed-chunk-extension", 400,
                                    "A chunk extension is malformed or too long; send none."},
    [WIRE_FAULT_CHUNK_END] = {"malformed-chunk", 400, "A chunk is not followed by CRLF where its size says."},
    [WIRE_FAULT_TRAILER] = {"forbidden-trailer", 400,
                            "A field that frames, routes, authenticates or describes a request must not come "
                            "behind its content."},
    [WIRE_FAULT_DISAGREEMENT] = {"readers-disagree", 400,
                                 "The request can be read in more than one way, so it is not let through."},
};

const char *wire_fault_name(enum wire_fault fault)
{
    return faults[fault].name;
}

int wire_fault_status(enum wire_fault fault)
{
    return faults[fault].status;
}

const char *wire_fault_detail(enum wire_fault fault)
{
    return faults[fault].detail;
}
