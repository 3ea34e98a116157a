/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clouds that the Public Suffix List has not, or not whole. That list says below which names
 * anybody may have one ("s3.amazonaws.com", "cloudfront.net"), but neither what is above several of
 * them and so wider than each ("amazonaws.com"), nor what a provider puts between
 * ("eu-west-1.redshift.amazonaws.com"), nor that customers' names keep their own dots in some
 * ("www.example.com.edgekey.net"). And it is as old as the library. */
#include "core/clouds.h"

#include "base/strbuf.h"

#include <string.h>

/* By provider. A domain that is in the Public Suffix List and has each customer right below itself
 * need not be here. */
static const char *const clouds[] = {
	/* Amazon */
	"amazonaws.com",
	"amazonaws.com.cn",
	"amplifyapp.com",
	"api.aws",
	"awsapprunner.com",
	"elasticbeanstalk.com",
	"on.aws",
	/* Microsoft */
	"azure-api.net",
	"azure-devices.net",
	"azure.cn",
	"azure.com",
	"azure.net",
	"azurecontainerapps.io",
	"azurecr.io",
	"azureedge.net",
	"azurefd.net",
	"azurewebsites.net",
	"chinacloudapi.cn",
	"trafficmanager.net",
	"usgovcloudapi.net",
	"windows.net",
	/* Google */
	"firebasedatabase.app",
	"firebaseio.com",
	"googleapis.com",
	"googlehosted.com",
	"googleusercontent.com",
	"run.app",
	/* Networks that deliver for others */
	"akadns.net",
	"akamai.net",
	"akamaiedge.net",
	"akamaihd.net",
	"akamaized.net",
	"b-cdn.net",
	"cdn77.org",
	"cloudflare.net",
	"cloudflarestorage.com",
	"edgecastcdn.net",
	"edgekey.net",
	"edgesuite.net",
	"fastly.net",
	"footprint.net",
	"hwcdn.net",
	"impervadns.net",
	"incapdns.net",
	"kxcdn.com",
	"llnwd.net",
	/* Others that lend machines and storage */
	"aliyuncs.com",
	"appdomain.cloud",
	"backblazeb2.com",
	"digitaloceanspaces.com",
	"herokudns.com",
	"linode.com",
	"linodeobjects.com",
	"linodeusercontent.com",
	"myhuaweicloud.com",
	"myqcloud.com",
	"oraclecloud.com",
	"oraclecloudapps.com",
	"ovh.net",
	"scw.cloud",
	"vercel-dns.com",
	"vultrobjects.com",
	"vultrusercontent.com",
	"wasabisys.com",
	"your-objectstorage.com",
	"your-server.de",
};

static const char *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(clouds); i++) {
		if (str_eq(name, clouds[i]))
			return clouds[i];
	}
	return NULL;
}

const char *clouds_find(const char *name)
{
	while (name) {
		const char *cloud = find(name);
		if (cloud)
			return cloud;
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
	return NULL;
}
