"""Which packages a project rests on, under which licences, and its bill of materials: from files, without any network."""
