/* Add a member, read the entries and renew the entry with gSOAP; print what came back as JSON.
   Compiled once for each dialect: with -DGT4 against the types of the gt4 WSDL. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "soapH.h"
#include "AggregatorServiceGroupSOAPBinding.nsmap"

#ifdef GT4
#define SG "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd"
typedef struct wsa4__EndpointReferenceType reference;
#else
#define SG "http://docs.oasis-open.org/wsrf/sg-2"
typedef struct wsa5__EndpointReferenceType reference;
#endif

#define AGG "http://mds.globus.org/aggregator/types"
#define CONFIG \
    "<a:AggregatorConfig xmlns:a=\"" AGG "\"><a:GetResourcePropertyPollType" \
    " xmlns:w=\"http://widgets.example/\"><a:PollIntervalMillis>60000</a:PollIntervalMillis>" \
    "<a:ResourcePropertyName>w:foo</a:ResourcePropertyName></a:GetResourcePropertyPollType>" \
    "</a:AggregatorConfig>"
#define DATA "<a:AggregatorData xmlns:a=\"" AGG "\"/>"

static void check(struct soap *soap, int result)
{
    if (result != SOAP_OK) {
        soap_print_fault(soap, stderr);
        exit(1);
    }
}

static time_t moment(struct soap *soap, const char *text)
{
    time_t value = 0;
    check(soap, soap_s2dateTime(soap, text, &value));
    return value;
}

/* The text of the first element of a local name in XML, of which *end is then set past it. */
static char *text_of(struct soap *soap, const char *xml, const char *name, const char **end)
{
    const char *found = strstr(xml, name);
    const char *start = found ? strchr(found, '>') : NULL;
    size_t length = start ? strcspn(start + 1, "<") : 0;
    char *copy = (char *)soap_malloc(soap, length + 1);
    memcpy(copy, start ? start + 1 : "", length);
    copy[length] = '\0';
    *end = start ? start + 1 + length : xml;
    return copy;
}

/* Add: the reference of the new entry, of which *key is its key element as XML. */
static reference add(struct soap *soap, const char *url, char **argv, char **key)
{
    struct _ns4__Add request;
    soap_default__ns4__Add(soap, &request);
    request.MemberEPR.Address = argv[1];
#ifdef GT4
    time_t initial = moment(soap, argv[2]);
    reference reply;
    request.Content = CONFIG DATA;
    request.InitialTerminationTime = &initial;
    check(soap, soap_call___ns1__Add(soap, url, NULL, &request, &reply));
    *key = reply.ReferenceProperties->__any[0];
    return reply;
#else
    char *parts[] = {CONFIG, DATA};
    struct ns4__ContentType content;
    struct _ns4__AddResponse reply;
    soap_default_ns4__ContentType(soap, &content);
    content.__size = 2;
    content.__any = parts;
    request.Content = &content;
    request.InitialTerminationTime = argv[2];
    check(soap, soap_call___ns1__Add(soap, url, NULL, &request, &reply));
    *key = reply.ServiceGroupEntryReference.ReferenceParameters->__any[0];
    return reply.ServiceGroupEntryReference;
#endif
}

/* SetTerminationTime on an entry, its key among the headers. */
static time_t renew(struct soap *soap, reference entry, char *key, char *until)
{
    struct SOAP_ENV__Header header;
    struct _ns3__SetTerminationTime request;
    struct _ns3__SetTerminationTimeResponse reply;
    time_t wanted = moment(soap, until);
    soap_default_SOAP_ENV__Header(soap, &header);
    header.__any = key;
    soap->header = &header;
    soap_default__ns3__SetTerminationTime(soap, &request);
#ifdef GT4
    request.RequestedTerminationTime = &wanted;
#else
    request.__union_SetTerminationTime =
        SOAP_UNION__ns3__union_SetTerminationTime_RequestedTerminationTime;
    request.union_SetTerminationTime.RequestedTerminationTime = &wanted;
#endif
    check(soap, soap_call___ns1__SetTerminationTime(soap, entry.Address, NULL, &request, &reply));
    return *reply.NewTerminationTime;
}

/* URL member initial renewed */
int main(int argc, char **argv)
{
    struct soap *soap = soap_new1(SOAP_C_UTFSTRING);
    struct _ns2__GetResourcePropertyResponse found;
    char *key = NULL;
    const char *end;
    reference entry;
    time_t renewed;
    int i;

    if (argc != 5)
        return 2;
    entry = add(soap, argv[1], argv + 1, &key);
    check(soap, soap_call___ns1__GetResourceProperty(soap, argv[1], NULL, "\"" SG "\":Entry", &found));
    renewed = renew(soap, entry, key, argv[4]);

    printf("{\"entry\": \"%s\", \"key\": \"%s\", \"renewed\": \"%s\", \"members\": [", entry.Address,
           text_of(soap, key, "EntryKey>", &end), soap_dateTime2s(soap, renewed));
    for (i = 0; i < found.__size; i++) {
        const char *member = strstr(found.__any[i], "MemberServiceEPR");
        printf("%s\"%s\"", i ? ", " : "", text_of(soap, member, "Address>", &end));
    }
    printf("]}\n");
    soap_destroy(soap);
    soap_end(soap);
    soap_free(soap);
    return 0;
}
