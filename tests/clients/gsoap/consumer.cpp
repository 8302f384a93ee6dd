/* A consumer of notifications in C++: prints its port, then of each notification the topic, its
   dialect and the message as a line of JSON. With -DGT4 for the types of the gt4 WSDL. */

#include <arpa/inet.h>
#include <cstdio>
#include <iostream>
#include <string>

#include "NotificationConsumerSOAPBinding.nsmap"
#include "soapNotificationConsumerSOAPBindingService.h"

#ifdef GT4
typedef _ns2__Notify Told;
typedef ns2__NotificationMessageHolderType *Holder;
#else
typedef _wsnt__Notify Told;
typedef wsnt__NotificationMessageHolderType *Holder;
#endif

/* Text as a JSON string. */
static std::string quoted(const char *text)
{
    std::string written = "\"";
    for (; text && *text; text++) {
        char escaped[8];
        if (*text == '"' || *text == '\\')
            written += '\\';
        if ((unsigned char)*text < ' ') {
            std::snprintf(escaped, sizeof escaped, "\\u%04x", *text);
            written += escaped;
        } else {
            written += *text;
        }
    }
    return written + '"';
}

static void tell(Holder holder)
{
    /* Text where elements may be too is in the one or in the other. */
    const char *mixed = holder->Topic->__mixed;
    const char *topic = mixed && *mixed ? mixed : holder->Topic->__any;
#ifdef GT4
    const char *message = holder->Message->__item;
#else
    const char *message = holder->Message.__any;
#endif
    std::cout << "{\"topic\": " << quoted(topic) << ", \"dialect\": "
#ifdef GT4
              << quoted(holder->Topic->Dialect->c_str())
#else
              << quoted(holder->Topic->Dialect.c_str())
#endif
              << ", \"message\": " << quoted(message) << "}" << std::endl;
}

int NotificationConsumerSOAPBindingService::Notify(Told *told)
{
    for (size_t i = 0; i < told->NotificationMessage.size(); i++)
        tell(told->NotificationMessage[i]);
    return send_Notify_empty_response();
}

int NotificationConsumerSOAPBindingService::Notify_(Told *told)
{
    return Notify(told);
}

int main()
{
    NotificationConsumerSOAPBindingService service;
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    if (!soap_valid_socket(service.bind("127.0.0.1", 0, 10))) {
        service.soap_stream_fault(std::cerr);
        return 1;
    }
    getsockname(service.soap->master, (struct sockaddr *)&bound, &size);
    std::cout << ntohs(bound.sin_port) << std::endl;
    while (soap_valid_socket(service.accept())) {
        if (service.serve() != SOAP_OK)
            service.soap_stream_fault(std::cerr);
        service.destroy();
    }
    return 1;
}
