//! One test for each case of the Python scripts: stomp.py, paho-mqtt, and both together.

use crate::support::Broker;
use crate::support::clients::run_script;

macro_rules! cases {
    ($script:literal: $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                run_script($script, &Broker::start(), &[stringify!($case)]);
            }
        )+
    };
}

mod stomp_py {
    use super::*;

    cases! { "stomp_client.py":
        version_1_0
        version_1_1
        version_1_2
        ack_auto
        ack_client
        ack_client_individual
        nack
        transaction_commit
        transaction_abort
        transacted_ack
        receipts
        heart_beats
        durable_subscription
        binary_body
        refusal
        wildcards
    }
}

mod paho {
    use super::*;

    cases! { "paho_client.py":
        what_the_broker_announces
        assigned_client_id
        session_expiry
        topic_alias
        aliases_from_the_broker
        subscription_identifiers
        request_and_response
        publish_properties
        message_expiry
        no_matching_subscribers
        no_local
        retain_as_published
        retain_handling
        maximum_packet_size
        will_with_properties
        disconnect_with_will
        shared_subscription
        exactly_once_both_ways
        version_3_1_1
        version_3_1
    }
}

mod both {
    use super::*;

    cases! { "both_protocols.py":
        mqtt_to_stomp
        stomp_to_mqtt
        names_map_and_come_back
        bytes_stay_bytes
        wildcards_on_both_sides
        quality_of_service
        retained
        to_a_durable_subscriber
        to_an_absent_session
    }
}
