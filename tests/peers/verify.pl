#!/usr/bin/perl
# Verify a message on standard input with Mail::DKIM, asking the DNS server at 127.0.0.1, port ARGV[0]. Prints the result.
use strict;
use warnings;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS::Resolver;

my $resolver = Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $ARGV[0], recurse => 0);
Mail::DKIM::DNS::resolver($resolver);
my $dkim = Mail::DKIM::Verifier->new();
binmode(STDIN);
while (<STDIN>) {
    $dkim->PRINT($_);
}
$dkim->CLOSE;
my @signatures = $dkim->signatures;
print join(' ', map { $_->result } @signatures), "\n";
