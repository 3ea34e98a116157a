#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of DNS messages: RFC 1035 sections 3.2 and 4.1, RFC 3596, RFC 6891. */

enum {
	DNS_HEADER_SIZE = 12,
	DNS_POINTER = 0xc0, /* both bits: the rest is an offset into the message */

	DNS_FLAG_QR = 0x8000,
	DNS_FLAG_OPCODE = 0x7800,
	DNS_FLAG_AA = 0x0400,
	DNS_FLAG_TC = 0x0200,
	DNS_FLAG_RA = 0x0080,
	DNS_FLAG_RCODE = 0x000f,

	DNS_RCODE_NOERROR = 0,
	DNS_RCODE_FORMERR = 1,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5,

	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,

	DNS_CLASS_IN = 1,
};
