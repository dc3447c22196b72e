# Who looks after the engine: sees keys and makes the signer's tokens, signs nothing, exports nothing.

path "transit/keys" {
  capabilities = ["list"]
}

path "transit/keys/+" {
  capabilities = ["read"]
}

path "auth/token/create-orphan" {
  capabilities = ["create", "update", "sudo"]
}

path "auth/token/revoke-accessor" {
  capabilities = ["update"]
}
