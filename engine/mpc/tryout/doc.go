// Package tryout sets up data servers for a first try and for tests, in one directory: an authority with certificates, keys, a
// policy, and configuration files for servers, a gateway, a physician and a researcher. It makes up vital signs for them.
package tryout
