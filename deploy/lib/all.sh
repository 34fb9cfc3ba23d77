# shellcheck shell=bash
#
# All of the library, for the scripts that set PROGRAM and SOURCE.

source "$SOURCE/deploy/lib/messages.sh"
source "$SOURCE/deploy/lib/packages.sh"
source "$SOURCE/deploy/lib/system.sh"
source "$SOURCE/deploy/lib/services.sh"
source "$SOURCE/deploy/lib/layout.sh"
source "$SOURCE/deploy/lib/release.sh"
source "$SOURCE/deploy/lib/configuration.sh"
source "$SOURCE/deploy/lib/database.sh"
source "$SOURCE/deploy/lib/archive.sh"
source "$SOURCE/deploy/lib/postgresql.sh"
source "$SOURCE/deploy/lib/rabbitmq.sh"
source "$SOURCE/deploy/lib/metrics.sh"
source "$SOURCE/deploy/lib/supervision.sh"
source "$SOURCE/deploy/lib/monitoring.sh"
