#!/usr/bin/perl
# A client of WSRF::Lite's make on SOAP::Lite: registers a member, reads, renews and ends the entry.
# Usage: wsrf_lite.pl GROUP MEMBER TIME; prints a line "name value" for each thing learnt.
use strict;
use warnings;
use SOAP::Lite;

my ($group, $member, $time) = @ARGV;
my %ns = (
    wsa  => 'http://www.w3.org/2005/08/addressing',
    wsrl => 'http://docs.oasis-open.org/wsrf/rl-2',
    wsrp => 'http://docs.oasis-open.org/wsrf/rp-2',
    wssg => 'http://docs.oasis-open.org/wsrf/sg-2',
    wsu  => 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd',
);
my $agg = 'http://mds.globus.org/aggregator/types';
$SOAP::Constants::DO_NOT_CHECK_MUSTUNDERSTAND = 1;

# One call: nothing but the address says which resource is meant.
sub call {
    my ($address, $spec, $operation, $xml, %more) = @_;
    my $client = SOAP::Lite->new->proxy($address, timeout => 30);
    $more{old} ? $client->default_ns($ns{$spec}) : $client->ns($ns{$spec});
    $client->autotype(0)->serializer->attr({ map { ("xmlns:$_" => $ns{$_}) } keys %ns });
    $client->on_fault(sub { my ($c, $fault) = @_; ref $fault ? $fault : die "$fault\n" });
    # What SOAP::Lite makes of the two: a '#' between them and quotes around.
    my $action = scalar $client->on_action->($ns{$spec}, $operation);
    my $headers = "<wsa:Action wsu:Id=\"Action\">$action</wsa:Action>"
        . "<wsa:To wsu:Id=\"To\">$address</wsa:To>"
        . "<wsa:MessageID wsu:Id=\"MessageID\">uuid:4711</wsa:MessageID>"
        . "<wsa:ReplyTo wsu:Id=\"ReplyTo\"><wsa:Address>$ns{wsa}/anonymous</wsa:Address></wsa:ReplyTo>";
    my @arguments = defined $xml ? SOAP::Data->value($xml)->type('xml') : ();
    my $answer = $client->call($operation => @arguments, SOAP::Header->value($headers)->type('xml'));
    return $answer;
}

sub told {
    my ($name, $answer, $path) = @_;
    if ($answer->fault) {
        my ($kind) = keys %{ $answer->faultdetail };
        print "$name fault $kind\n";
        return;
    }
    my $value = $answer->valueof($path);
    print "$name ", (defined $value ? $value : 'nothing'), "\n";
    return $value;
}

my $poll = "<agg:ExecutionPollType><agg:PollIntervalMillis>3600000</agg:PollIntervalMillis>"
    . "<agg:ProbeName>aggregator-exec-test</agg:ProbeName></agg:ExecutionPollType>";
my $content = "<wssg:Content><agg:AggregatorConfig xmlns:agg=\"$agg\">$poll</agg:AggregatorConfig>"
    . "</wssg:Content>";
my $epr = "<wssg:MemberEPR><wsa:EndpointReference><wsa:Address>$member</wsa:Address>"
    . "</wsa:EndpointReference></wssg:MemberEPR>";

my $added = call($group, 'wssg', 'Add', $epr . $content);
my $entry = told('entry', $added, "//Body//Address") or exit 1;
told('action', $added, "//Header/Action");
told('relates', $added, "//Header/RelatesTo");
# Older releases write the operation with a default namespace and no prefix.
$added = call($group, 'wssg', 'Add', $epr . $content, old => 1);
my $second = told('second', $added, "//Body//Address");

told('member', call($group, 'wsrp', 'GetResourceProperty', 'wssg:Entry'),
    '//Entry/MemberServiceEPR//Address');
told('count', call($group, 'wsrp', 'QueryResourceProperties',
    '<wsrp:QueryExpression dialect="http://www.w3.org/TR/1999/REC-xpath-19991116">'
    . "count(//*[local-name()='Entry'])</wsrp:QueryExpression>"), '//QueryResourcePropertiesResponse');
my $wish = "<wsrl:RequestedTerminationTime>$time</wsrl:RequestedTerminationTime>";
told('granted', call($entry, 'wsrl', 'SetTerminationTime', $wish), '//NewTerminationTime');
told('termination', call($entry, 'wsrp', 'GetResourceProperty', 'wsrl:TerminationTime'),
    '//TerminationTime');
# The scripts that come with WSRF::Lite name a property without any prefix.
told('plain', call($entry, 'wsrp', 'GetResourceProperty', 'TerminationTime'), '//TerminationTime');
told('default', call($entry, 'wsrp', 'GetResourceProperty', 'TerminationTime', old => 1),
    '//TerminationTime');
told('several', call($entry, 'wsrp', 'GetMultipleResourceProperties',
    '<wsrp:ResourceProperty>wssg:MemberEPR</wsrp:ResourceProperty>'
    . '<wsrp:ResourceProperty>TerminationTime</wsrp:ResourceProperty>'), '//MemberEPR//Address');
told('destroyed', call($entry, 'wsrl', 'Destroy'), '//DestroyResponse');
told('ended', call($second, 'wsrl', 'Destroy', undef, old => 1), '//DestroyResponse');
told('gone', call($entry, 'wsrl', 'SetTerminationTime', $wish), '//NewTerminationTime');
told('nobody', call($group, 'wsrp', 'GetResourceProperty', 'Nobody'), '//Nobody');
