#include "proxy/tls/asn1_time.h"

#include <string.h>
#include <time.h>

bool asn1_time_read(const ASN1_TIME *time, int64_t *seconds)
{
    struct tm parts;

    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    *seconds = timegm(&parts);
    return true;
}

void asn1_time_write(int64_t seconds, char text[static ASN1_TIME_TEXT])
{
    struct tm parts;
    time_t time = seconds;

    if (gmtime_r(&time, &parts) == NULL ||
        strftime(text, ASN1_TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        memcpy(text, "?", sizeof "?");
}
