// Joined to what wsdl2h wrote: a place for the key of an entry among the SOAP headers, as XML.
mutable struct SOAP_ENV__Header
{
    _XML __any;
};
