# The functions there are: every lambda.yaml below lambdas/lib. Adding a folder there adds its functions, and nothing here has to change.
# Which of them are deployed: those of your own sources, and of shipped ones that are named; what writes only if it is named.

locals {
  lib   = "${path.module}/../lib"
  build = "${path.module}/../.build"

  defaults = yamldecode(file("${local.lib}/defaults.yaml"))
  files    = { for file in fileset(local.lib, "**/lambda.yaml") : dirname(file) => yamldecode(file("${local.lib}/${file}")) }

  # The sources that come with the package.
  shipped = ["okta"]
  # Operations that change nothing, if their function does not say otherwise.
  reading = ["list", "get"]

  # What a function does not say is as the defaults say; `none` says that there is nothing.
  described = merge([
    for folder, file in local.files : {
      for operation, given in file.functions : "${file.source}-${file.endpoint}-${operation}" => {
        source       = file.source
        endpoint     = file.endpoint
        operation    = operation
        name         = "${file.source}.${file.endpoint}.${operation}"
        reads        = try(given.reads, contains(local.reading, operation))
        folder       = folder
        zip          = "${local.build}/circulate-${file.source}-${file.endpoint}-${operation}.zip"
        handler      = given.handler
        runtime      = try(file.runtime, local.defaults.runtime)
        architecture = try(file.architecture, local.defaults.architecture)
        memory_mb    = try(given.memory_mb, local.defaults.memory_mb)
        timeout_s    = try(given.timeout_s, local.defaults.timeout_s)
        ephemeral_mb = try(given.ephemeral_mb, local.defaults.ephemeral_mb)
        # Its earlier name, from when it served Okta alone.
        extension = replace(try(given.extension, "none"), "/^okta-token$/", "circulate-token")
        auth      = try(given.auth, "${file.source}-${try(given.reads, contains(local.reading, operation)) ? "read" : "write"}")
        # A source that signs in by a refresh token gets another one each time, which is kept in place of the one before.
        refresh_token = try(given.refresh_token, false)
        environment   = merge(local.defaults.environment, try(given.environment, {}))
        is_target     = file.source == "targets"
        is_registrar  = file.source == "targets" && operation == "register"
        is_list       = operation == "list"
        is_writer     = file.source != "targets" && !try(given.reads, contains(local.reading, operation))
      }
    }
  ]...)

  sources = [
    for source in distinct([for file in values(local.files) : file.source]) : source
    if !contains(local.shipped, source) || contains(var.sources, source)
  ]
  writers = [for function in values(local.described) : function.name if function.is_writer]
  functions = {
    for name, function in local.described : name => function
    if contains(local.sources, function.source) && (!function.is_writer || contains(var.write_operations, function.name)) && (!function.is_registrar || var.athena)
  }
  deployed_writers = [for function in values(local.functions) : function.name if function.is_writer]

  # Those that a schedule runs, by the name of their function.
  pipelines = {
    for folder, file in local.files : "${file.source}-${file.endpoint}-list" => {
      name          = "${file.source}-${file.endpoint}"
      stream        = "${file.source}.${file.endpoint}"
      source        = file.source
      schedule      = file.pipeline.schedule
      full_refresh  = try(file.pipeline.full_refresh, null)
      mode          = try(file.pipeline.mode, local.defaults.pipeline.mode)
      format        = try(file.pipeline.format, local.defaults.pipeline.format)
      target        = try(file.pipeline.target, local.defaults.pipeline.target)
      stale_after_h = try(file.pipeline.stale_after_h, local.defaults.pipeline.stale_after_h)
    } if can(file.pipeline.schedule) && contains(local.sources, file.source)
  }

  # The credentials that some function reads: a secret for each account.
  secrets = merge([
    for auth in distinct([for name, function in local.functions : "${function.auth} ${function.source}" if function.auth != "none"]) : {
      for account in lookup(var.accounts, split(" ", auth)[1], []) : "${split(" ", auth)[0]}/${account}" => {
        source  = split(" ", auth)[1]
        account = account
      }
    }
  ]...)

  extensions = toset([for function in values(local.functions) : function.extension if function.extension != "none"])
}
